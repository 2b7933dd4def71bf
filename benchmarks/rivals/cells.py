"""Figures that were measured, each in a file of its own, so that a killed run loses one at most.

Several processes may fill one folder at the same time.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Self

from system.files import make_folder, write_whole

Figures = Mapping[str, float]
"""What was measured, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is measured in a cell.

    Attributes:
        part: of the page.
        seconds: of training, by CPU time; 0 if nothing is trained.
        characters: at most so many are held out; 0 if all are.
    """

    part: str
    rival: str
    text: str = ""
    seconds: float = 0.0
    seed: int = 0
    characters: int = 0

    @property
    def slug(self) -> str:
        """As a name of a file."""
        words = (f"{one:g}" if isinstance(one, float) else str(one) for one in astuple(self))
        return re.sub(r"[^\w.-]+", "-", "--".join(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A key, its figures, and how they were made.

    Attributes:
        made: versions of the programs, each a name and a number.
        processor: that they ran on.
    """

    key: Key
    figures: Figures
    made: Sequence[str]
    processor: str

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `Cells` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**values | {"key": Key(**values["key"])})


class Cells:
    """All cells of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)

    def __iter__(self) -> Iterator[Cell]:
        return map(Cell.load, sorted(self._folder.glob("*.json")))

    def __contains__(self, key: Key) -> bool:
        return self._path(key).exists()

    def put(self, cell: Cell) -> None:
        """Remember what was measured."""
        text = json.dumps(asdict(cell), indent=1)
        write_whole(self._path(cell.key), text.encode(), concurrent=True)

    def _path(self, key: Key) -> Path:
        return self._folder / f"{key.slug}.json"
