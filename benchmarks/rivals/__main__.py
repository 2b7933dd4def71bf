"""charmill and what a user would choose in its place, at equal cost: docs/rivals.md.

    python -m benchmarks.rivals MIRRORS [PART ...] [--seconds 180,600] [--seeds 3]

MIRRORS is that of benchmarks.results, with karpathy+nanoGPT and karpathy+char-rnn (tinyshakespeare)
in it. A PART is a rival that is trained, or one of:

    adaptive   zpaq, PPMd and charmill's dynamic evaluation on python-stdlib
    idle       charmill and dvc with nothing to do; dvc must be on the PATH
    cleaning   charmill's corpus stage and datatrove, on numpy; needs --datatrove

Networks are trained for --seconds of CPU time on one thread, the shortest budget and the most
important rivals first, and all texts with a seed before the next seed. It can be killed and started
again: every cell that is finished is a file in FOLDER/cells, and the page is written after each.
Several processes may share FOLDER, each with parts of its own.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.command_line import command_line
from benchmarks.real_corpora import TrialError, mirrored
from benchmarks.results.__main__ import DOCS
from benchmarks.rivals import adaptive, cleaning, idle, trained
from benchmarks.rivals.cells import Cell, Cells, Figures, Key
from benchmarks.rivals.page import page
from benchmarks.rivals.texts import NAMES, Library, mirror
from benchmarks.rivals.versions import made
from modeling.device import processor_name

PARTS = (*trained.RIVALS, adaptive.PART, idle.PART, cleaning.PART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was asked for, and what it needs.

    Attributes:
        datatrove: a Python that has it, None if there is none.
    """

    parts: Sequence[str]
    texts: Sequence[str]
    budgets: Sequence[float]
    seeds: int
    held_out: int
    datatrove: Path | None
    library: Library
    gym: trained.Gym

    def order(self) -> Iterator[Key]:
        """All cells, the most important first."""
        rivals = [part for part in self.parts if part in trained.RIVALS]
        yield from trained.in_order(rivals, self.texts, self.budgets, self.seeds, self.held_out)
        if adaptive.PART in self.parts:
            yield from adaptive.in_order(max(self.budgets), self.seeds, self.held_out)
        if idle.PART in self.parts:
            yield Key(part=idle.PART, rival=idle.programs())
        if cleaning.PART in self.parts:
            yield Key(part=cleaning.PART, rival=cleaning.DATATROVE)

    def measure(self, key: Key) -> Figures:
        """Measure a cell.

        Raises:
            TrialError: if it cannot be measured here.
        """
        if key.part == trained.PART:
            return self.gym.train(key, self.library.texts(key.text, key.characters))
        if key.part == adaptive.PART:
            corpus = self.library.place(adaptive.TEXT)
            if key.rival in adaptive.COMPRESSORS:
                return adaptive.compressed(key.rival, corpus)
            return adaptive.adapted(corpus, self.gym.model(adaptive.trained_before(key)))
        if key.part == idle.PART:
            with tempfile.TemporaryDirectory() as folder:
                return idle.figures(idle.rounds(Path(folder)))
        if self.datatrove is None:
            raise TrialError("--datatrove must name a Python that has datatrove")
        return cleaning.rounds(mirror(self.gym.mirrors, cleaning.REPOSITORY), self.datatrove)


def fill(trial: Trial, cells: Cells, write: Path) -> list[str]:
    """Measure all cells that are not there, writing the page after each; return what failed."""
    failed = []
    for key in trial.order():
        if key in cells:
            continue
        print(f"{datetime.now(UTC):%H:%M} UTC: {key.slug}", flush=True)
        try:
            figures = trial.measure(key)
            versions = made(key, trial.gym.mirrors, trial.datatrove)
        except TrialError as error:
            failed.append(f"{key.slug}: {error}")
            print(failed[-1], file=sys.stderr, flush=True)
            continue
        cells.put(Cell(key=key, figures=figures, made=versions, processor=processor_name()))
        save(cells, write)
    return failed


def save(cells: Cells, write: Path) -> None:
    """Write the page."""
    write.parent.mkdir(parents=True, exist_ok=True)
    write.write_text(page(cells), encoding="utf-8", newline="\n")


def cpu_seconds(text: str) -> list[float]:
    """The budgets in a text such as "180,600"."""
    numbers = [float(word) for word in text.split(",")]
    if not all(0 < number < math.inf for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r}: each must be positive")
    return numbers


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for and write the page; 1 if a cell failed."""
    parser = command_line("benchmarks.rivals", __doc__)
    parser.add_argument("mirrors", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--texts", default=",".join(NAMES))
    parser.add_argument("--seconds", type=cpu_seconds, default=[180.0, 600.0], help="budgets")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--held-out", type=int, default=300_000, help="at most so many characters")
    parser.add_argument("--datatrove", type=Path, metavar="PYTHON", help="one that has datatrove")
    parser.add_argument("--folder", type=Path, default=Path("artifacts/rivals"))
    parser.add_argument("--docs", type=Path, default=DOCS, help="where rivals.md is written")
    asked = parser.parse_args(arguments)
    texts = asked.texts.split(",")
    unknown = {*asked.parts} - {*PARTS} | {*texts} - {*NAMES}
    if unknown:
        parser.error(
            f"unknown: {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}; "
            f"texts are {', '.join(NAMES)}"
        )
    absent = [path for path in (asked.mirrors, asked.datatrove) if path and not path.exists()]
    if absent:
        parser.error(f"{absent[0]} does not exist")
    torch.set_num_threads(1)
    folder = asked.folder.resolve()
    cells = Cells(folder / "cells")
    with mirrored(asked.mirrors) as config:
        trial = Trial(
            parts=asked.parts or PARTS,
            texts=texts,
            budgets=asked.seconds,
            seeds=asked.seeds,
            held_out=asked.held_out,
            datatrove=asked.datatrove,
            library=Library(folder=folder, mirrors=asked.mirrors, git_config=config),
            gym=trained.Gym(mirrors=asked.mirrors, models=folder / "models"),
        )
        failed = fill(trial, cells, asked.docs / "rivals.md")
    save(cells, asked.docs / "rivals.md")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
