"""One scorer per language; SCORERS names them."""

from typing import Protocol

from evaluation.languages import c, java, lua, prose, python, scala
from evaluation.results import TextScore


class Scorer(Protocol):
    """Judges the validity of text in one language."""

    @property
    def language(self) -> str:
        """Its name."""
        ...

    @property
    def extensions(self) -> tuple[str, ...]:
        """Endings of the file names of the language, each with its dot."""
        ...

    @property
    def headline(self) -> str | None:
        """Key of the metric that stands for validity, None if the language has none."""
        ...

    def score(self, text: str) -> TextScore:
        """Judge a sample or window: files joined by file marks, the first and the last one cut."""
        ...

    def score_file(self, text: str, *, parse_units: bool = True) -> TextScore:
        """Judge one whole file.

        Args:
            text: of the file.
            parse_units: ask a grammar for its second opinion of every unit, where there is one.
        """
        ...


SCORERS: dict[str, Scorer] = {
    "python": python.SCORER,
    "c": c.SCORER,
    "java": java.SCORER,
    "lua": lua.SCORER,
    "scala": scala.SCORER,
    "prose": prose.SCORER,
}
