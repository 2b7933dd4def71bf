"""The page of all cells."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from benchmarks.rivals import adaptive, cleaning, idle, trained
from benchmarks.rivals.cells import Cell
from benchmarks.rivals.texts import DESCRIPTIONS

INTRODUCTION = """\
charmill compared with what a user would choose in its place. Made by `python -m benchmarks.rivals
MIRRORS`, whose help explains the parts; versions are at the end. nanoGPT's model is executed from a
clone of its repository; the recipes in torch are those of `benchmarks/peers.py`."""
TRAINED = f"""\
Bits per character of held-out text after the same CPU time on one thread: mean over the seeds, with
the range. Everybody gets the same text to train on, the same vocabulary, and the same held-out
text. charmill pays for its validation and for choosing an engine out of its budget; the others
choose the best of ten weights by the first {trained.VALIDATION:,} characters of validation text,
free of charge. nanoGPT's learning rate follows the share of its time that is spent, and every
character is scored with at least half a window of context. The recurrent networks carry their
state.

nanoGPT's README gives 1.4697 nats (2.120 bits) on tinyshakespeare for a model of 10.7 million
parameters after three minutes on an A100 GPU."""
ADAPTIVE = f"""\
Bits per held-out character of `{adaptive.TEXT}` when the predictor learns from the text after each
character or segment is charged. Compressors are primed with at most 4 million characters of the
training text, chosen as an evaluation chooses them; the networks are those of the first table with
the longest training."""
IDLE = f"""\
Seconds of a pipeline of five stages (`{idle.DATASET}`) in which everything is current, medians with
the range of {idle.ROUNDS} interleaved rounds. dvc's stages have the files of charmill's as their
outputs; dvc is not asked whether the source has changed, and charmill looks."""
CLEANING = f"""\
`*{cleaning.EXTENSION}` of `{cleaning.REPOSITORY}`, from the clone to Parquet, medians of
{cleaning.ROUNDS} interleaved rounds, one process each. Both drop files by size, encoding, lines and
letters, and near-copies by MinHash. charmill also looks for generated files, secrets and licences,
verifies near-copies, holds out texts, and writes a ledger. datatrove has its default bands, and
splits words at blanks."""


def page(cells: Iterable[Cell]) -> str:
    """All that was measured, in Markdown."""
    found = list(cells)
    by_part = {name: [cell for cell in found if cell.key.part == name] for name in SECTIONS}
    lines = ["# Rivals", "", INTRODUCTION]
    for name, (title, words, tables) in SECTIONS.items():
        if by_part[name]:
            lines += ["", f"## {title}", "", words, "", *tables(by_part[name])]
    if found:
        lines += ["", "## Versions", "", *versions(found)]
    return "\n".join([*lines, ""])


def versions(cells: Sequence[Cell]) -> Iterator[str]:
    """What was measured, program by program; charmill is named by commit."""
    seen: dict[str, dict[str, None]] = {}
    for part in sorted({part for cell in cells for part in cell.made}):
        name, _, number = part.rpartition(" ")
        seen.setdefault(name, {})[number] = None
    yield from (f"- {name} {', '.join(numbers)}" for name, numbers in seen.items())
    yield ""
    yield f"Processor: {'; '.join(sorted({cell.processor for cell in cells}))}."


def trained_tables(cells: Sequence[Cell]) -> Iterator[str]:
    """A table for every budget: rivals down, texts across."""
    texts = [name for name in DESCRIPTIONS if any(cell.key.text == name for cell in cells)]
    yield from (f"- `{name}`: {DESCRIPTIONS[name]}" for name in texts)
    ordered = sorted(cells, key=_budget)
    for (seconds, characters), group in groupby(ordered, key=_budget):
        yield ""
        yield f"### {seconds:g} CPU-seconds, at most {characters:,} held-out characters"
        yield ""
        yield from _bits(list(group), texts)


def _budget(cell: Cell) -> tuple[float, int]:
    return cell.key.seconds, cell.key.characters


def _bits(cells: Sequence[Cell], texts: Sequence[str]) -> Iterator[str]:
    values = {
        (rival, text): [
            cell.figures["bits"]
            for cell in cells
            if (cell.key.rival, cell.key.text) == (rival, text)
        ]
        for rival in trained.RIVALS
        for text in texts
    }
    yield f"| | {' | '.join(texts)} | seeds |"
    yield f"|---|{'--:|' * len(texts)}--:|"
    for rival, label in trained.RIVALS.items():
        row = [values[rival, text] for text in texts]
        counts = sorted({len(one) for one in row if one})
        if counts:
            seeds = " to ".join(str(count) for count in {counts[0]: 0, counts[-1]: 0})
            yield f"| {label} | {' | '.join(map(spread, row))} | {seeds} |"


def adaptive_table(cells: Sequence[Cell]) -> Iterator[str]:
    """A row for every compressor and for every figure of our networks."""
    yield "| | bits | held-out characters | seeds |"
    yield "|---|--:|--:|--:|"
    for name in adaptive.COMPRESSORS:
        for cell in cells:
            if cell.key.rival == name:
                bits, size = cell.figures["bits"], cell.figures["characters"]
                yield f"| {name}, primed | {bits:.3f} | {size:,} | |"
    ours = [cell for cell in cells if cell.key.rival == trained.OURS]
    for seconds in sorted({cell.key.seconds for cell in ours}):
        seeds = [cell.figures for cell in ours if cell.key.seconds == seconds]
        for name, label in adaptive.ROWS.items():
            trained_for = f", after {seconds:g} CPU-seconds"
            bits = spread([figures[name] for figures in seeds])
            size = seeds[0]["characters"]
            yield f"| {label}{trained_for} | {bits} | {size:,} | {len(seeds)} |"


def idle_table(cells: Sequence[Cell]) -> Iterator[str]:
    """A row for every program; of two measurements the one with more programs."""
    figures = max((cell.figures for cell in cells), key=len)
    yield "| | wall time, s | CPU time, s |"
    yield "|---|--:|--:|"
    for name in (idle.OURS, idle.DVC, idle.LEAST):
        if f"{name}, wall" in figures:
            times = (_times(figures, f"{name}, {clock}") for clock in ("wall", "cpu"))
            yield f"| `{name}` | {' | '.join(times)} |"
    if f"{idle.DVC}, wall" not in figures:
        yield ""
        yield "dvc was not installed where this was measured."


def _times(figures: Mapping[str, float], name: str) -> str:
    least, most = (figures[f"{name}, {end}"] for end in ("least", "most"))
    return f"{figures[name]:.2f} ({least:.2f} to {most:.2f})"


def cleaning_table(cells: Sequence[Cell]) -> Iterator[str]:
    """A row for each of the two."""
    yield "| | CPU time, s | wall time, s | documents | characters |"
    yield "|---|--:|--:|--:|--:|"
    for figures in (cell.figures for cell in cells):
        for rival in (cleaning.OURS, cleaning.DATATROVE):
            times = (f"{figures[f'{rival}, {name}']:.1f}" for name in ("cpu", "wall"))
            sizes = (f"{figures[f'{rival}, {name}']:,.0f}" for name in cleaning.SIZES)
            yield f"| {rival} | {' | '.join([*times, *sizes])} |"


def spread(values: Sequence[float]) -> str:
    """The mean, and the range if there are several."""
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else mean


SECTIONS = {
    trained.PART: ("Networks, at equal CPU time", TRAINED, trained_tables),
    adaptive.PART: ("Predictors that adapt", ADAPTIVE, adaptive_table),
    idle.PART: ("Nothing to do", IDLE, idle_table),
    cleaning.PART: ("A corpus from a repository", CLEANING, cleaning_table),
}
