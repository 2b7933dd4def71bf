"""Rules on metadata, each with the reason that the ledger and the funnel show.

They run before any content is read, so the content of a dropped file never is.
"""

from collections.abc import Callable

from pathspec import GitIgnoreSpec

from corpora.build.subsample import NOT_SAMPLED
from corpora.document import UNREACHABLE, Entry
from corpora.filters.content import REASONS, SETTINGS, VENDORED, TextRules
from corpora.spec import CorpusSpec

Rule = Callable[[Entry], str | None]
"""Returns the detail for the ledger ("" for none) to drop an entry, None to pass it."""

EMPTY = "empty"
UNREADABLE = "missing in the source"
LFS_POINTER = "LFS pointer"
TEXT_REASONS = (
    UNREADABLE,
    LFS_POINTER,
    "binary",
    "encoding",
    EMPTY,
    *(reason for reason in REASONS if reason != VENDORED),
    "duplicate",
    "near-duplicate",
)


def metadata_rules(spec: CorpusSpec) -> dict[str, Rule]:
    """The rules on metadata by reason, in the order in which they are applied."""
    return {
        UNREACHABLE: _unreachable,
        "not a regular file": lambda entry: entry.problem,
        "extension": _extension_rule(spec.extensions),
        "outside include": _include_rule(spec.include),
        **{rule.reason: _path_rule(rule.paths) for rule in spec.exclude},
        VENDORED: _vendored_rule(spec.text),
        "too large": _size_rule(spec.max_bytes),
    }


def settings(spec: CorpusSpec) -> dict[str, str]:
    """The setting of a dataset's TOML that each reason comes from; of those that have one."""
    return {
        "extension": "corpus.extensions",
        "outside include": "corpus.include",
        **{rule.reason: "corpus.exclude" for rule in spec.exclude},
        "too large": "corpus.max_bytes",
        NOT_SAMPLED: "corpus.sample_bytes",
        **{reason: f"corpus.text.{setting}" for reason, setting in SETTINGS.items()},
        "near-duplicate": "corpus.near_duplicates",
    }


def reasons(spec: CorpusSpec) -> tuple[str, ...]:
    """Every reason that can occur in a corpus of this spec, in the order of the funnel."""
    return (*metadata_rules(spec), NOT_SAMPLED, *TEXT_REASONS)


def first_drop(rules: dict[str, Rule], entry: Entry) -> tuple[str, str] | None:
    """The first rule that drops `entry`, as (reason, detail)."""
    for reason, rule in rules.items():
        detail = rule(entry)
        if detail is not None:
            return reason, detail
    return None


def _unreachable(entry: Entry) -> str | None:
    kind, colon, words = (entry.problem or "").partition(": ")
    return words if colon and kind == UNREACHABLE else None


def _extension_rule(extensions: tuple[str, ...]) -> Rule:
    def rule(entry: Entry) -> str | None:
        if entry.path.endswith(extensions):
            return None
        name = entry.path.rpartition("/")[2]
        place = name.rfind(".")
        return name[place:] if 0 < place < len(name) - 1 else "none"

    return rule


def _path_rule(patterns: tuple[str, ...]) -> Rule:
    spec = GitIgnoreSpec.from_lines(patterns)
    return lambda entry: "" if spec.match_file(entry.path) else None


def _include_rule(patterns: tuple[str, ...]) -> Rule:
    if not patterns:
        return lambda _: None
    spec = GitIgnoreSpec.from_lines(patterns)
    return lambda entry: None if spec.match_file(entry.path) else ""


def _vendored_rule(rules: TextRules) -> Rule:
    return lambda entry: "" if rules.path_drop(entry.path) else None


def _size_rule(max_bytes: int) -> Rule:
    return lambda entry: f"{entry.size} bytes" if entry.size > max_bytes else None
