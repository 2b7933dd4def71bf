"""A third check of code: whether an installed compiler accepts its syntax.

The table of languages names the compilers. Nothing is compiled or run: each program stops after
parsing, and has limits on time and memory. If it is killed, the batch is halved until the source
that killed it is found; that source counts as rejected. Python needs no compiler, since `ast.parse`
is its own parser, and C has none: gcc rejects 92 % of real functions of Linux, because their types
are in headers that a sample does not have.

Cost: 1 ms per unit of Lua; for Java 0.5 s per 2,000 units plus 0.1 ms per unit.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from evaluation.languages import LANGUAGES
from evaluation.results import Tally
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.compiler import Compiler
from evaluation.syntax.grammar import MAX_UNIT
from evaluation.syntax.units import Piece, files

MAX_FILE = 1_000_000
"""Longest whole file that is parsed, in characters."""
BATCH = 2_000
"""Sources checked by one process, within its limits."""
KEYS = {"unit": "compiler_parse_rate", "file": "file_parse_rate"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Code for a compiler to check: a unit in its frame, or a whole file."""

    kind: Literal["unit", "file"]
    text: str


def compiler_tallies(
    language: str, texts: Sequence[str], *, whole: bool = False, from_start: bool = False
) -> Iterator[dict[str, Tally]]:
    """Count for each text how many of its units and whole files a compiler accepts.

    Args:
        texts: samples or windows, with file marks between the files in them.
        whole: each text is one whole file instead.
        from_start: each text begins at the start of a file.

    Yields:
        compiler_parse_rate: of the units of the balance metric, except those too long for a
            grammar.
        file_parse_rate: of whole files.
        An empty dict if no compiler is known or installed.
    """
    programs = installed_compilers(language)
    if not programs:
        yield from ({} for _ in texts)
        return
    pieces = (
        [Piece(offset=0, text=text)] if whole else files(text, from_start=from_start)
        for text in texts
    )
    by_text = [list(_sources(language, each)) for each in pieces]
    verdicts = accepted(language, [source for sources in by_text for source in sources])
    for sources in by_text:
        results = [(source.kind, next(verdicts)) for source in sources]
        yield {
            key: Tally(results.count((kind, True)), sum(kind == one for one, _ in results))
            for kind, key in KEYS.items()
        }


def accepted(language: str, sources: Sequence[Source], *, batch: int = BATCH) -> Iterator[bool]:
    """Whether a compiler parses each source without a syntax error.

    Args:
        language: must have an installed compiler.
        sources: in any order.
        batch: number of sources that one process checks.
    """
    programs, compiler = installed_compilers(language), LANGUAGES[language].compiler
    assert compiler
    extension = LANGUAGES[language].extensions[0]
    for start in range(0, len(sources), batch):
        yield from _accepted(compiler, programs, sources[start : start + batch], extension)


@cache
def installed_compilers(language: str) -> tuple[str, ...]:
    """The compilers of a language that are on the PATH and pass their test."""
    compiler = LANGUAGES[language].compiler
    if compiler is None:
        return ()
    found = tuple(
        program
        for program in compiler.programs
        if shutil.which(program)
        and _passes_test(compiler, program, LANGUAGES[language].extensions[0])
    )
    if not found:
        _log.warning("%s", _reason(compiler))
    return found


def _passes_test(compiler: Compiler, program: str, extension: str) -> bool:
    """Whether a program accepts the good source and rejects the bad one, in separate runs."""
    good, bad = (
        next(_accepted(compiler, [program], [Source(kind="file", text=text)], extension))
        for text in (compiler.good, compiler.bad)
    )
    return good and not bad


def why_no_compiler(language: str) -> str | None:
    """Why no compiler checked the code; None if one did or the language has none."""
    compiler = LANGUAGES[language].compiler
    return None if compiler is None or installed_compilers(language) else _reason(compiler)


def _reason(compiler: Compiler) -> str:
    programs = " or ".join(compiler.programs)
    return f"No compiler checked the blocks: no working {programs} was found."


def _sources(language: str, pieces: Iterable[Piece]) -> Iterator[Source]:
    scorer, compiler = LANGUAGES[language].scorer, LANGUAGES[language].compiler
    assert compiler
    assert isinstance(scorer, BracketScorer)
    before, after = compiler.frame
    for piece in pieces:
        if piece.is_whole and len(piece.text) <= MAX_FILE:
            yield Source(kind="file", text=piece.text)
        for unit in scorer.units(piece):
            if len(unit.text) <= MAX_UNIT:
                yield Source(kind="unit", text=before + unit.text + after)


def _accepted(
    compiler: Compiler, programs: Sequence[str], sources: Iterable[Source], extension: str
) -> Iterator[bool]:
    with TemporaryDirectory() as name:
        folder, names = Path(name), []
        for number, source in enumerate(sources):
            names.append(f"{source.kind}{number}{extension}")
            (folder / names[-1]).write_bytes(source.text.encode("utf-8", "surrogatepass"))
        rejected = _rejected(compiler, programs, folder, names)
    yield from (name not in rejected for name in names)


def _rejected(
    compiler: Compiler, programs: Sequence[str], folder: Path, names: Sequence[str]
) -> set[str]:
    """Check all at once; if that kills the program, check each half."""
    if not names:
        return set()
    result = compiler.rejected(programs, folder, names, compiler.limits)
    if result is not None:
        return result
    if len(names) == 1:
        return set(names)
    middle = len(names) // 2
    halves = names[:middle], names[middle:]
    return set().union(*(_rejected(compiler, programs, folder, half) for half in halves))
