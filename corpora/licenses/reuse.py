"""Licences that REUSE.toml or .reuse/dep5 state for files without a tag.

    https://reuse.software/spec/

Of several statements about a file the last one counts, as the specification says.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from corpora.licenses.files import REUSE_DEP5, REUSE_TOML
from corpora.licenses.spdx import combined_license, unreadable

FIELD = re.compile(r"^(\S+):[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
ESCAPED = re.compile(r"\\(.)|(\*\*/?)|(\*)|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """The licence of the files whose path matches one of the patterns."""

    paths: tuple[re.Pattern[str], ...]
    license: str


def annotations(texts: Mapping[str, str]) -> list[Annotation]:
    """Read the statements of REUSE.toml and .reuse/dep5, given as text by path.

    What cannot be read states an unreadable licence for every file.
    """
    found: list[Annotation] = []
    if REUSE_DEP5 in texts:
        found += _of_dep5(texts[REUSE_DEP5])
    if REUSE_TOML in texts:
        try:
            found += _of_toml(tomllib.loads(texts[REUSE_TOML]))
        except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
            everything = (re.compile(r"(?s:.*)"),)
            found.append(Annotation(paths=everything, license=unreadable(REUSE_TOML)))
    return found


def annotated_license(path: str, found: Iterable[Annotation]) -> str | None:
    """The licence that the last matching statement gives a file, None if none matches."""
    matching = [
        one.license for one in found if any(pattern.fullmatch(path) for pattern in one.paths)
    ]
    return matching[-1] if matching else None


def _of_toml(data: Mapping[str, Any]) -> list[Annotation]:
    found = []
    for table in data.get("annotations", ()):
        paths = table["path"]
        stated = table.get("SPDX-License-Identifier")
        if stated is not None:
            patterns = tuple(map(_toml_pattern, [paths] if isinstance(paths, str) else paths))
            expressions = [stated] if isinstance(stated, str) else stated
            found.append(Annotation(paths=patterns, license=combined_license(expressions)))
    return found


def _of_dep5(text: str) -> list[Annotation]:
    found = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = {name.lower(): value for name, value in FIELD.findall(paragraph)}
        if "files" in fields and "license" in fields:
            patterns = tuple(map(_dep5_pattern, fields["files"].split()))
            expression = fields["license"].split("\n")[0]
            found.append(Annotation(paths=patterns, license=combined_license([expression])))
    return found


def _toml_pattern(path: str) -> re.Pattern[str]:
    """`*` is any name, `**` any path, a backslash takes away the meaning of what follows."""

    def translated(part: re.Match[str]) -> str:
        escaped, anything, name, plain = part.groups()
        if anything:
            return ".*"
        return "[^/]*" if name else re.escape(escaped or plain)

    return re.compile(ESCAPED.sub(translated, path), re.DOTALL)


def _dep5_pattern(path: str) -> re.Pattern[str]:
    """`*` is any path, `?` any character."""
    translated = {"*": ".*", "?": "."}
    return re.compile("".join(translated.get(c) or re.escape(c) for c in path), re.DOTALL)
