"""Progress of long work, which yields it; the caller decides how to show it."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a piece of work has got.

    Attributes:
        done: amount done so far, in `unit`.
        total: total amount, None if unknown.
        unit: plural noun, as "files"; "" where `done` is a fraction.
        note: what is being done, as text.
    """

    done: float
    total: float | None
    unit: str = ""
    note: str = ""

    @classmethod
    def at(cls, fraction: float | None, note: str) -> Self:
        """Progress as a fraction from 0 to 1, or unknown."""
        return cls(done=fraction or 0.0, total=None if fraction is None else 1.0, note=note)

    @property
    def fraction(self) -> float | None:
        """The fraction that is done, from 0 to 1; None if unknown."""
        if self.total is None:
            return None
        return self.done / self.total if self.total else 1.0

    @property
    def text(self) -> str:
        """The note and the amount: "examined, 1,200 files"."""
        amount = f"{self.done:,.0f} {self.unit}" if self.unit else ""
        return ", ".join(filter(None, (self.note, amount)))
