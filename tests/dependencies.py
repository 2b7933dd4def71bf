"""The table of dependencies in docs/dependencies.md, from the lock and the installed packages.

    python -m tests.dependencies

renews the table; the text around it is written by hand. A licence is the one that a package states
as an SPDX expression; else the one that our own recogniser finds in its licence files; else the one
that a person found there, which is void as soon as the package states something else.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from corpora.licenses.recognise import repository_license
from corpora.licenses.spdx import normal_license

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/dependencies.md"
BLOCK = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)
COPYLEFT = re.compile(r"GPL|MPL")
LICENSE_FILE = re.compile(r"[^/]+\.dist-info/.*(licen[cs]e|copying)[^/]*", re.IGNORECASE)
OURSELVES, DEVELOPMENT = "**charmill**", "*development*"
LOCKED_ON = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
}
"""The environment for which the lock is made, so that the table is the same on any machine."""
READ_BY_HAND = {
    ("alabaster", "BSD License"): "BSD-3-Clause",
    ("certifi", "MPL-2.0"): "MPL-2.0",
    (
        "docutils",
        "Public Domain, BSD License, GNU General Public License (GPL)",
    ): "LicenseRef-Public-Domain AND BSD-2-Clause",
    ("matplotlib", "Python Software Foundation License"): "LicenseRef-Matplotlib (like PSF-2.0)",
    ("nodeenv", "BSD"): "BSD-3-Clause",
    ("pygithub", "GNU Library or Lesser General Public License (LGPL)"): "LGPL-3.0-or-later",
    ("python-dateutil", "Dual License"): "BSD-3-Clause AND (Apache-2.0 OR BSD-3-Clause)",
    ("scipy", "BSD License"): "BSD-3-Clause",
    ("sortedcontainers", "Apache 2.0"): "Apache-2.0",
    ("sphinxcontrib-applehelp", "BSD License"): "BSD-2-Clause",
    ("sphinxcontrib-devhelp", "BSD License"): "BSD-2-Clause",
    ("sphinxcontrib-htmlhelp", "BSD License"): "BSD-2-Clause",
    ("sphinxcontrib-qthelp", "BSD License"): "BSD-2-Clause",
    ("sphinxcontrib-serializinghtml", "BSD License"): "BSD-2-Clause",
    ("text-unidecode", "Artistic License"): "Artistic-1.0-Perl OR GPL-2.0-or-later",
    ("uritemplate", "BSD 3-Clause OR Apache-2.0"): "BSD-3-Clause OR Apache-2.0",
}
"""Licences by package and its statement, where neither the statement nor a file is recognised."""


def locked() -> dict[str, str]:
    """The version of every package in requirements.lock, by its canonical name."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", text, re.MULTILINE))


def license_of(package: Distribution) -> str:
    """The licence of an installed package as an SPDX expression, or as it states it."""
    stated = statement(package)
    name = canonicalize_name(package.metadata["Name"])
    if (name, stated) in READ_BY_HAND:
        return READ_BY_HAND[name, stated]
    if normal := normal_license(stated):
        return normal
    texts = {
        str(path): path.read_text(encoding="utf-8")
        for path in package.files or ()
        if LICENSE_FILE.fullmatch(str(path))
    }
    return repository_license(texts).expression or stated or "not stated"


def statement(package: Distribution) -> str:
    """What a package states: an SPDX expression, else a name, else its classifiers."""
    metadata = package.metadata
    stated = (metadata.get("License-Expression") or metadata.get("License") or "").strip()
    if stated and "\n" not in stated:
        return stated
    classifiers = metadata.get_all("Classifier") or ()
    names = (c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::"))
    return ", ".join(names)


def parents() -> dict[str, set[str]]:
    """Who asks for each package: other packages, ourselves, or our development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, set[str]] = defaultdict(set)
    asked = [(OURSELVES, text) for text in project["dependencies"]]
    asked += [(DEVELOPMENT, text) for text in project["optional-dependencies"]["dev"]]
    done: set[tuple[str, frozenset[str]]] = set()
    while asked:
        parent, text = asked.pop()
        requirement = Requirement(text)
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        found[name].add(parent)
        if name in locked() and (name, extras) not in done:
            done.add((name, extras))
            asked += [(name, child) for child in _requirements(name, extras)]
    return found


def _requirements(name: str, extras: Iterable[str]) -> list[str]:
    """What a package requires in the environment of the lock, without the markers."""
    kept = []
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({**LOCKED_ON, "extra": extra}) for extra in ("", *extras)
        ):
            kept.append(text.partition(";")[0])
    return kept


def licenses() -> dict[str, str]:
    """The licence of every package in the lock."""
    return {name: license_of(distribution(name)) for name in locked()}


def table() -> str:
    """The table in Markdown: a row per package of the lock."""
    asking = parents()
    rows = [
        f"| {name} | {license_} | {', '.join(sorted(asking[name]))} |"
        for name, license_ in licenses().items()
    ]
    return "\n".join(["| package | licence | needed by |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(
        BLOCK.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8"
    )
