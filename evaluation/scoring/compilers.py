"""A third opinion on code: whether a compiler that is installed here accepts its syntax.

The table of languages names the compilers. Nothing is compiled or run: each program stops after
parsing, under limits of time and memory. If it is killed, the batch is halved until the source that
killed it is found; that one counts as refused. A language without a compiler in the table has no
such opinion: `ast.parse` is Python's own parser, and gcc refuses 92 % of real functions of Linux,
whose types are in headers that a sample does not have.

Costs 1 ms for a unit of Lua; for Java 0.5 s for each 2,000 units, and 0.1 ms for each of them.
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
"""Sources for one process; all of them are refused if they exceed its limits."""
KEYS = {"unit": "compiler_parse_rate", "file": "file_parse_rate"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a compiler is asked about: a unit in its frame, or a whole file."""

    kind: Literal["unit", "file"]
    text: str


def opinions(
    language: str, texts: Sequence[str], *, whole: bool = False
) -> Iterator[dict[str, Tally]]:
    """Count for each text how many of its units and whole files a compiler accepts.

    Args:
        texts: samples or windows, with file marks between the files in them.
        whole: each text is one whole file instead.

    Yields:
        compiler_parse_rate: the units of the balance metric that are not too long for a grammar.
        file_parse_rate: whole files. Nothing at all where no compiler is known or installed.
    """
    programs = installed(language)
    if not programs:
        yield from ({} for _ in texts)
        return
    by_text = [list(_sources(language, text, whole)) for text in texts]
    verdicts = accepted(language, [source for sources in by_text for source in sources])
    for sources in by_text:
        found = [(source.kind, next(verdicts)) for source in sources]
        yield {
            key: Tally(found.count((kind, True)), sum(kind == one for one, _ in found))
            for kind, key in KEYS.items()
        }


def accepted(language: str, sources: Sequence[Source], *, batch: int = BATCH) -> Iterator[bool]:
    """Whether a compiler parses each source without a syntax error.

    Args:
        language: has a compiler that is installed.
        sources: in any order.
        batch: sources for one process.
    """
    programs, compiler = installed(language), LANGUAGES[language].compiler
    assert compiler
    extension = LANGUAGES[language].extensions[0]
    for start in range(0, len(sources), batch):
        yield from _accepted(compiler, programs, sources[start : start + batch], extension)


@cache
def installed(language: str) -> tuple[str, ...]:
    """The programs for that language that are found on the path and pass their test."""
    compiler = LANGUAGES[language].compiler
    if compiler is None:
        return ()
    found = tuple(
        program
        for program in compiler.programs
        if shutil.which(program) and _judges(compiler, program, LANGUAGES[language].extensions[0])
    )
    if not found:
        _log.warning("%s", _reason(compiler))
    return found


def _judges(compiler: Compiler, program: str, extension: str) -> bool:
    """Whether a program, run on each alone, accepts the good source and refuses the bad one."""
    good, bad = (
        next(_accepted(compiler, [program], [Source(kind="file", text=text)], extension))
        for text in (compiler.good, compiler.bad)
    )
    return good and not bad


def missing(language: str) -> str | None:
    """Why no compiler checked code in a language that has one, None if one did."""
    compiler = LANGUAGES[language].compiler
    return None if compiler is None or installed(language) else _reason(compiler)


def _reason(compiler: Compiler) -> str:
    programs = " or ".join(compiler.programs)
    return f"No compiler was asked about the blocks: no working {programs} was found."


def _sources(language: str, text: str, whole: bool) -> Iterator[Source]:
    scorer, compiler = LANGUAGES[language].scorer, LANGUAGES[language].compiler
    assert compiler
    assert isinstance(scorer, BracketScorer)
    before, after = compiler.frame
    for piece in [Piece(offset=0, text=text)] if whole else files(text):
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
        refused = _refused(compiler, programs, folder, names)
    yield from (name not in refused for name in names)


def _refused(
    compiler: Compiler, programs: Sequence[str], folder: Path, names: Sequence[str]
) -> set[str]:
    """Check all at once; if that kills the program, check each half."""
    if not names:
        return set()
    found = compiler.refused(programs, folder, names, compiler.limits)
    if found is not None:
        return found
    if len(names) == 1:
        return set(names)
    middle = len(names) // 2
    halves = names[:middle], names[middle:]
    return set().union(*(_refused(compiler, programs, folder, half) for half in halves))
