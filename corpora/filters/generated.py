"""Recognise generated files, and files copied from other projects.

The rules are data, in `generated.toml`. Generators mark their output in comments at the head of the
file, often below a licence and across several lines. So comments are first joined into sentences,
and code that merely prints such a sentence is ignored. Optionally GitHub's linguist decides too,
through `enry-python`.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pathspec import GitIgnoreSpec

RULES = Path(__file__).with_suffix(".toml")
HEAD_CHARACTERS = 4096
COMMENT = re.compile(r"\s*(?://+|/\*+|\*+/?|#+|--+|;+|%+|<!--+|\"\"\"|'''|dnl\b|rem\b)!?\s*(.*)")
CODE = re.compile(r"[\"`=(){}\[\]]|;\s*$|\B'|'\B")
C_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
TEMPLATE = re.compile(r"([=(,:]|\breturn)[ \t]*[a-z]{0,2}(\"\"\"|''').*?(\2|\Z)", re.DOTALL)
HERE_DOCUMENT = re.compile(
    r"<<[-~]?[ \t]*([\"']?)([a-z_]\w*)\1.*?^\s*\2$", re.DOTALL | re.MULTILINE
)
COMPILED = (".js", ".mjs", ".cjs", ".css")
SOURCE_MAP = re.compile(r"/[/*][#@] sourceMappingURL=")


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginRules:
    """The rules of `generated.toml`, compiled.

    Attributes:
        generated_paths: paths that are generated whatever their content.
        vendored_paths: paths of code copied from other projects.
        others: pattern of what is said about another file.
        words: a head without any of these (in lower case) has no marker.
        markers: pattern of a sentence, by the name for the ledger.
    """

    generated_paths: GitIgnoreSpec
    vendored_paths: GitIgnoreSpec
    others: re.Pattern[str]
    words: tuple[str, ...]
    markers: dict[str, re.Pattern[str]]


def generated_by(path: str, text: str) -> str | None:
    """What marks this file as generated, for the ledger; None if nothing does."""
    rules = origin_rules()
    if rules.generated_paths.match_file(path):
        return "by its name"
    if path.endswith(COMPILED) and any(map(SOURCE_MAP.match, text.rstrip().rsplit("\n", 2)[-2:])):
        return "by its source map"
    head = text[:HEAD_CHARACTERS].lower()
    if not any(word in head for word in rules.words):
        return None
    if path.endswith(".py"):
        head = C_COMMENT.sub("", head)  # what the script prints, or an example
    remarks = [rules.others.sub("", remark) for remark in head_remarks(head)]
    for name, marker in rules.markers.items():
        if any(marker.search(remark) for remark in remarks):
            return name
    return None


def is_vendored(path: str) -> bool:
    """Whether the path marks this file as copied from another project."""
    return origin_rules().vendored_paths.match_file(path)


def head_remarks(head: str) -> list[str]:
    """The comments in `head`, lines that follow one another joined; other prose counts as comment.

    Lines inside a block comment or a docstring may have no comment mark, so a line without any
    punctuation of code counts as prose.
    """
    remarks = [""]
    for line in TEMPLATE.sub(r"\1", HERE_DOCUMENT.sub("", head)).splitlines():
        comment = COMMENT.match(line)
        if comment or not CODE.search(line):
            remarks[-1] += "\n" + (comment.group(1) if comment else line).strip()
        else:
            remarks.append("")
    return [remark for remark in remarks if remark]


@cache
def origin_rules() -> OriginRules:
    """Read the built-in rules, once."""
    data = tomllib.loads(RULES.read_text(encoding="utf-8"))
    generated = data["generated"]
    return OriginRules(
        generated_paths=GitIgnoreSpec.from_lines(generated["paths"]),
        vendored_paths=GitIgnoreSpec.from_lines(data["vendored"]["paths"]),
        others=_sentence(generated["others"]),
        words=tuple(generated["words"]),
        markers={name: _sentence(text) for name, text in generated["markers"].items()},
    )


def _sentence(pattern: str) -> re.Pattern[str]:
    """Compile a marker: blanks match line ends too, "^" the start of any line."""
    return re.compile(pattern.replace(" ", r"\s"), re.MULTILINE | re.DOTALL)
