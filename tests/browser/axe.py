"""The accessibility checker axe-core, fetched by npm and never committed (licence MPL-2.0)."""

import hashlib
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""WCAG 2.2 at level AA, and what axe-core recommends beyond it."""


@cache
def axe_source() -> str | None:
    """The script to inject; None without npm or its registry."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    with TemporaryDirectory() as folder:
        packed = subprocess.run(
            [npm, "pack", "--silent", f"axe-core@{VERSION}"],
            cwd=folder,
            capture_output=True,
            timeout=120,
            check=False,
        )
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode or not archives:
            return None
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member
            source = member.read()
    assert hashlib.sha256(source).hexdigest() == SHA256
    return source.decode()


def violations(page: Any, source: str) -> list[str]:
    """What axe-core finds on a page, one line for each element.

    What is folded is unfolded first; a page with switches is read again with all of them on.
    """
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.evaluate(source)
    found = _violations(page)
    if page.evaluate(
        "[...document.querySelectorAll('input[type=checkbox]')]"
        ".map(each => each.checked = true).length"
    ):
        found += [one for one in _violations(page) if one not in found]
    return found


def _violations(page: Any) -> list[str]:
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", list(RULES)
    )
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:99]} {node.get('failureSummary', '')[:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
