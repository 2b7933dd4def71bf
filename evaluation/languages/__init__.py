"""The table of languages, the only list of them.

A new language needs one line here and one module in this folder with its SCORER, and a COMPILER if
there is one that can check syntax alone. Modules are loaded on first use, so the table is cheap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from evaluation.results import TextScore
    from evaluation.syntax.compiler import Compiler


class Scorer(Protocol):
    """Measures the validity of text in one language."""

    @property
    def headline(self) -> str | None:
        """Key of the main validity metric, None if the language has none."""
        ...

    def score(self, text: str, *, from_start: bool = False) -> "TextScore":
        """Score a sample or window: files joined by file marks, of which the last one is cut.

        Args:
            text: of the sample or window.
            from_start: the first file is whole at its start; otherwise it is cut there.
        """
        ...

    def score_file(self, text: str, *, parse_units: bool = True) -> "TextScore":
        """Score one whole file.

        Args:
            text: of the file.
            parse_units: also parse every unit with a grammar, if there is one.
        """
        ...


@dataclass(frozen=True)
class Language:
    """One row of the table.

    Attributes:
        name: as in dataset files and `charmill score`.
        extensions: of its file names, each with its dot.
        package: contains the module of that name.
    """

    name: str
    extensions: tuple[str, ...]
    package: str = "evaluation.languages"

    @property
    def module(self) -> str:
        """Full name of its module."""
        return f"{self.package}.{self.name}"

    @cached_property
    def _loaded(self) -> ModuleType:
        return import_module(self.module)

    @property
    def scorer(self) -> Scorer:
        """Scores texts in this language."""
        return self._loaded.SCORER

    @property
    def compiler(self) -> "Compiler | None":
        """Checks the syntax of units and files; None if the language has none."""
        return getattr(self._loaded, "COMPILER", None)


LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        Language("python", (".py",)),
        Language("c", (".c", ".h")),
        Language("go", (".go",)),
        Language("java", (".java",)),
        Language("javascript", (".js", ".mjs", ".cjs", ".jsx")),
        Language("lua", (".lua",)),
        Language("rust", (".rs",)),
        Language("scala", (".scala", ".sc")),
        Language("typescript", (".ts", ".mts", ".cts", ".tsx")),
        Language("prose", (".txt", ".md")),
    )
}


def known_languages() -> str:
    """The names of all languages, for error messages."""
    return ", ".join(LANGUAGES)


def language_of(extensions: Iterable[str]) -> str:
    """The language of the first known extension, "prose" if none is known."""
    known = _by_extension()
    return next((known[end] for end in extensions if end in known), "prose")


def unknown_extensions(extensions: Iterable[str]) -> list[str]:
    """Those that no language has."""
    known = _by_extension()
    return [end for end in extensions if end not in known]


def _by_extension() -> dict[str, str]:
    return {end: one.name for one in LANGUAGES.values() for end in one.extensions}


__all__ = [
    "LANGUAGES",
    "Language",
    "Scorer",
    "known_languages",
    "language_of",
    "unknown_extensions",
]
