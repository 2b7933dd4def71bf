"""What each filter drops, as rows of text: for the terminal, and for an artifact of Prefect."""

from collections.abc import Iterator, Sequence

from corpora.build.effect import Amount, ChangedFile, Effect, Judgement
from flows.planning.what_if import WhatIf

Row = tuple[str, ...]
SHOWN = 5
HEADERS = ("rule", "files", "MB", "setting")
EFFECT_HEADERS = ("rule", "files", "then", "+/-", "MB", "then", "+/-")
NUMBERS = EFFECT_HEADERS[1:]
HELD_OUT = "held-out documents"
NONE = Amount(files=0, bytes=0)


def rows(found: WhatIf) -> Iterator[Row]:
    """What the current settings drop, below HEADERS."""
    for label, amount in _amounts(found.now, list(found.now.dropped)):
        yield label, *_cells(amount), found.settings.get(label, "")


def effect_rows(found: WhatIf, effect: Effect) -> Iterator[Row]:
    """The same with a change of the settings, and the difference, below EFFECT_HEADERS."""
    both = zip(_amounts(found.now, effect.rules), _amounts(effect.then, effect.rules), strict=True)
    for (label, now), (_, then) in both:
        files, size = then.files - now.files, then.bytes - now.bytes
        (count, mb), (count_then, mb_then) = _cells(now), _cells(then)
        more, more_mb = f"{files:+,}" if files else "", f"{size / 1e6:+,.2f}" if size else ""
        yield label, count, count_then, more, mb, mb_then, more_mb


def effect_lines(effect: Effect) -> Iterator[str]:
    """The first files with another decision, and the number of the others."""
    if effect.then.problem:
        yield f"no corpus can be made with this change: {effect.then.problem}"
    yield from _changed("newly dropped", effect.dropped, "")
    yield from _changed("newly kept", effect.kept, "until now ")
    if effect.other_rule:
        yield f"dropped by another rule: {effect.other_rule:,} files"
    if effect.moved:
        yield f"in another split: {effect.moved:,} files"
    if not (effect.dropped or effect.kept or effect.other_rule or effect.moved):
        yield "no file has another decision"


def problem_lines(now: Judgement) -> Iterator[str]:
    """That no corpus can be made with the current settings, if so."""
    if now.problem:
        yield f"no corpus can be made with the current settings: {now.problem}"


def _changed(label: str, files: Sequence[ChangedFile], before: str) -> Iterator[str]:
    if files:
        yield f"{label}: {len(files):,} files"
    for file in files[:SHOWN]:
        detail = f", {file.detail}" if file.detail else ""
        yield f"  {file.name}: {before}{file.reason}{detail}"
    if len(files) > SHOWN:
        yield f"  ... and {len(files) - SHOWN:,} more"


def _amounts(found: Judgement, rules: Sequence[str]) -> Iterator[tuple[str, Amount]]:
    yield "in the source", found.seen
    for rule in rules:
        yield rule, found.dropped.get(rule, NONE)
    yield "kept", found.kept
    held_out = found.held_out
    yield HELD_OUT, Amount(files=held_out.documents, bytes=held_out.characters)


def _cells(amount: Amount) -> Row:
    return f"{amount.files:,}", f"{amount.bytes / 1e6:,.2f}"
