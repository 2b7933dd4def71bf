"""The limits of `charmill gc`: options of the command line, and parameters of Prefect's form."""

import re
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import OptionError

UNITS = {"h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
AGE = re.compile(rf"([0-9]{{1,5}})([{''.join(UNITS)}])")
SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([kmgt]?)(i?)b", re.IGNORECASE)


class Limits(BaseModel):
    """What may be removed: runs that are beyond every limit and that nothing kept needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_last: int = Field(
        default=3, ge=1, description="Keep this many runs of every stage of a dataset: the newest."
    )
    older_than: str = Field(
        default="30d",
        description="Keep runs that were made or reused within this time: 12h, 30d, 8w, 1y.",
    )
    max_size: str = Field(
        default="",
        description="Then remove younger runs too, the longest unused first, until the finished "
        "runs of these datasets fit: 500MB, 20GB (default: no limit).",
    )
    history: str = Field(
        default="90d",
        description="Unless datasets are named, also remove from Prefect's history the runs that "
        "ended longer ago than this, with their logs and artifacts.",
    )

    @classmethod
    def help(cls, name: str) -> str:
        """The help text of an option."""
        return cls.model_fields[name].description or ""

    @property
    def age(self) -> timedelta:
        """`older_than` as a duration.

        Raises:
            OptionError: if it is none.
        """
        return _age("--older-than", self.older_than)

    @property
    def history_age(self) -> timedelta:
        """`history` as a duration.

        Raises:
            OptionError: if it is none.
        """
        return _age("--history", self.history)

    @property
    def max_bytes(self) -> int | None:
        """`max_size` in bytes; None for no limit.

        Raises:
            OptionError: if it is no size.
        """
        if not self.max_size.strip():
            return None
        match = SIZE.fullmatch(self.max_size.strip())
        if not match:
            raise OptionError(f"--max-size {self.max_size}: expected a size as 500MB, 20GB or 1TB")
        number, unit, binary = match.groups()
        exponent = "kmgt".find(unit.lower()) + 1 if unit else 0
        return int(float(number) * (1024**exponent if binary else 1000**exponent))


def _age(option: str, text: str) -> timedelta:
    match = AGE.fullmatch(text.strip())
    if not match:
        raise OptionError(f"{option} {text}: expected an age as 12h, 30d, 8w or 1y")
    # No date is a thousand years before today.
    return timedelta(seconds=min(int(match[1]) * UNITS[match[2]], 1000 * UNITS["y"]))
