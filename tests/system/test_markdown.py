import re

import pytest
from markdown_it import MarkdownIt

from system.display import shown
from system.markdown import markdown
from tests.hostile import ALL

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
BLOCKS = ["- x", "+ x", "1. x", "1) x", "===", "---", "-", "> x", "    code", "# head", "~~~", "1."]


def text_of(html: str) -> str:
    """The characters that a reader sees, in a page without any other element."""
    for old, new in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        html = html.replace(old, new)
    return html


@pytest.mark.parametrize("text", [*ALL, *BLOCKS])
def test_a_reader_sees_the_text_and_nothing_else_in_a_paragraph(text):
    html = PARSER.render(f"before\n\n{markdown(text)}\n\nafter\n")
    found = re.fullmatch(r"<p>before</p>\n<p>(.*)</p>\n<p>after</p>\n", html)
    assert found, html
    assert not re.search("<[a-z]", found[1])
    assert text_of(found[1]) == shown(text)


@pytest.mark.parametrize("text", [*ALL, *BLOCKS])
def test_a_reader_sees_the_text_and_nothing_else_in_a_cell(text):
    html = PARSER.render(f"| a | b |\n|---|---|\n| {markdown(text)} | 1 |\n")
    cells = re.findall(r"<td>(.*)</td>", html)
    assert [text_of(cell) for cell in cells] == [shown(text), "1"]
