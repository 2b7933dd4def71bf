"""Every link of every Markdown page leads to a file and a heading that exist, as on a forge."""

import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
MARKDOWN = MarkdownIt("commonmark").enable("table")


def pages() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def slugs(text: str) -> set[str]:
    """The anchors that a forge, and MyST, give the headings of a page."""
    found: set[str] = set()
    tokens = MARKDOWN.parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            shown = "".join(child.content for child in inline.children or ())
            slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            number = sum(
                re.fullmatch(rf"{re.escape(slug)}(-\d+)?", one) is not None for one in found
            )
            found.add(f"{slug}-{number}" if number else slug)
    return found


def targets(text: str) -> list[str]:
    """Where the links and pictures of a page lead, except to other sites."""
    inline = [child for token in MARKDOWN.parse(text) for child in token.children or ()]
    found = [target(token) for token in inline if token.type in ("link_open", "image")]
    return [one for one in found if not urlsplit(one).scheme]


def target(token: Token) -> str:
    return str(token.attrs.get("href") or token.attrs["src"])


def faults(text: str, folder: Path) -> list[str]:
    found = []
    for one in targets(text):
        parts = urlsplit(one)
        path = folder / unquote(parts.path) if parts.path else None
        if path is not None and not path.exists():
            found.append(f"{one}: no such file")
        elif parts.fragment:
            anchors = anchors_of(path) if path is not None else slugs(text)
            found += [] if parts.fragment in anchors else [f"{one}: no such heading"]
    return found


@cache
def anchors_of(path: Path) -> set[str]:
    return slugs(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page):
    path = ROOT / page
    assert faults(path.read_text(encoding="utf-8"), path.parent) == []


def test_a_link_to_no_file_and_one_to_no_heading_are_found(tmp_path):
    (tmp_path / "a.md").write_text("# Title, and `code`\n\n## Twice\n\n## Twice\n")
    text = (
        "# Here\n[1](a.md#title-and-code) [2](a.md#twice-1) [3](#here) [4](https://example.org/x)\n"
        "![5](b.png) [6](a.md#no) [7](#no)\n\n| a |\n|---|\n| [8](c.md) |\n"
    )
    assert faults(text, tmp_path) == [
        "b.png: no such file",
        "a.md#no: no such heading",
        "#no: no such heading",
        "c.md: no such file",
    ]
