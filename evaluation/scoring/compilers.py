"""A third opinion on code: whether a compiler that is installed here reads it, syntax only.

Nothing is compiled or run: `luac -p` stops after parsing, and so does javac by the policy that it
is given, before it looks for a class or a processor. Every program runs under limits of time and
memory; what kills one is found by halving, and counts as refused. A language without an entry here
has no such opinion: `ast.parse` is Python's own parser, and gcc refuses 92 % of real functions of
Linux, whose types stand in headers that a sample does not have.

Costs 1 ms for a unit of Lua; for Java 0.5 s for each 2,000 units, and 0.1 ms for each of them.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from evaluation.languages import java, lua
from evaluation.results import Tally
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.grammar import MAX_UNIT
from evaluation.syntax.units import Piece, files

MAX_FILE = 1_000_000
"""Longest whole file that is parsed, in characters."""
BATCH = 2_000
"""Sources that one process is asked about, and are refused together where they take too long."""
SECONDS = 20
"""CPU time of one process: some twenty times what javac takes for a batch of real members."""
PATIENCE = 200
"""Wall time of one question, in seconds."""
MAX_KILOBYTES = 6 * 2**20
"""Address space of one process; the heap of javac is limited by itself, to half a GB."""
KEYS = {"unit": "compiler_parse_rate", "file": "file_parse_rate"}

_LIMITED = 'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2" 2>&-; shift 2; exec "$@"'
_JAVA_ERROR = re.compile(rb"^(\w+\.java):\d+:\d+: compiler\.err\.([\w.]+)", re.MULTILINE)
_FOREIGN_CONSTRUCTOR = b"invalid.meth.decl.ret.type.req"
"""Said of a constructor whose class has another name, as that of every framed member has."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a compiler is asked about: a unit in its frame, or a whole file."""

    kind: Literal["unit", "file"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """How to ask for a language.

    Attributes:
        scorer: of the language; its blocks are the units, its frame makes files of them.
        programs: names, any of which may be installed; a source is good if one accepts it.
        refused: given programs, a folder, and names of files in it: those that are no code. None
            if the question killed the program.
        good, bad: sources that show whether a program judges syntax, and nothing but syntax.
    """

    scorer: BracketScorer
    programs: Sequence[str]
    refused: Callable[[Sequence[str], Path, Sequence[str]], set[str] | None]
    good: str
    bad: str


def opinions(
    language: str, texts: Sequence[str], *, whole: bool = False
) -> Iterator[dict[str, Tally]]:
    """Say of each text how many of its units and whole files a compiler reads.

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
    asked = [list(_sources(COMPILERS[language].scorer, text, whole)) for text in texts]
    verdicts = accepted(language, [source for sources in asked for source in sources])
    for sources in asked:
        found = [(source.kind, next(verdicts)) for source in sources]
        yield {
            key: Tally(found.count((kind, True)), sum(kind == one for one, _ in found))
            for kind, key in KEYS.items()
        }


def accepted(language: str, sources: Sequence[Source]) -> Iterator[bool]:
    """Whether a compiler reads each source without a syntax error."""
    programs = installed(language)
    for start in range(0, len(sources), BATCH):
        yield from _accepted(COMPILERS[language], programs, sources[start : start + BATCH])


@cache
def installed(language: str) -> tuple[str, ...]:
    """The programs for that language that are found on the path and pass their test."""
    compiler = COMPILERS.get(language)
    if compiler is None:
        return ()
    found = tuple(
        program
        for program in compiler.programs
        if shutil.which(program) and _judges(compiler, program)
    )
    if not found:
        _log.warning("%s", _reason(compiler))
    return found


def _judges(compiler: Compiler, program: str) -> bool:
    """Whether a program takes the good source and refuses the bad one, asked about each alone."""
    good, bad = Source(kind="file", text=compiler.good), Source(kind="file", text=compiler.bad)
    return [*_accepted(compiler, [program], [good])] > [*_accepted(compiler, [program], [bad])]


def missing(language: str) -> str | None:
    """Why no compiler was asked about code in a language that has one, None if one was."""
    compiler = COMPILERS.get(language)
    return None if compiler is None or installed(language) else _reason(compiler)


def _reason(compiler: Compiler) -> str:
    programs = " or ".join(compiler.programs)
    return f"No compiler was asked about the blocks: no working {programs} was found."


def _sources(scorer: BracketScorer, text: str, whole: bool) -> Iterator[Source]:
    before, behind = scorer.frame or ("", "")
    for piece in [Piece(offset=0, text=text)] if whole else files(text):
        if piece.is_whole and len(piece.text) <= MAX_FILE:
            yield Source(kind="file", text=piece.text)
        for unit in scorer.blocks(piece):
            if len(unit.text) <= MAX_UNIT:
                yield Source(kind="unit", text=before + unit.text + behind)


def _accepted(
    compiler: Compiler, programs: Sequence[str], sources: Iterable[Source]
) -> Iterator[bool]:
    with TemporaryDirectory() as name:
        folder, names = Path(name), []
        for number, source in enumerate(sources):
            names.append(f"{source.kind}{number}{compiler.scorer.extensions[0]}")
            (folder / names[-1]).write_bytes(source.text.encode("utf-8", "surrogatepass"))
        refused = _refused(compiler, programs, folder, names)
    yield from (name not in refused for name in names)


def _refused(
    compiler: Compiler, programs: Sequence[str], folder: Path, names: Sequence[str]
) -> set[str]:
    """Ask about all at once; where that kills the program, about either half."""
    if not names:
        return set()
    found = compiler.refused(programs, folder, names)
    if found is not None:
        return found
    if len(names) == 1:
        return set(names)
    middle = len(names) // 2
    halves = names[:middle], names[middle:]
    return set().union(*(_refused(compiler, programs, folder, half) for half in halves))


def _refused_by_luac(
    programs: Sequence[str], folder: Path, names: Sequence[str]
) -> set[str] | None:
    """`find` starts a process a file, so that each has limits of its own."""
    tests = [word for program in programs for word in ("!", "-exec", program, "-p", "{}", ";")]
    done = _run(["find", *names, *tests, "-print"], folder)
    return set(done.stdout.decode().splitlines()) if done else None


def _refused_by_javac(
    programs: Sequence[str], folder: Path, names: Sequence[str]
) -> set[str] | None:
    """One process for all: it stops behind its parser, with or without an error."""
    options = [
        *("-J-Xmx512m", "-J-Xss64m", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1"),
        *("-proc:none", "-XDshould-stop.ifNoError=PARSE"),
        *("-encoding", "UTF-8", "-XDrawDiagnostics", "-Xmaxerrs", "1000000000"),
    ]
    done = _run([programs[0], *options, *names], folder)
    errors = _JAVA_ERROR.findall(done.stderr) if done else []
    if done is None or done.returncode != bool(errors):
        return None  # it broke down, so it may have said too little
    return {
        name.decode()
        for name, error in errors
        if not (name.startswith(b"unit") and error == _FOREIGN_CONSTRUCTOR)
    }


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[bytes] | None:
    """Run a program in `folder` under limits; None if that takes too long."""
    limited = ["sh", "-c", _LIMITED, "sh", str(SECONDS), str(MAX_KILOBYTES), *command]
    with subprocess.Popen(
        limited,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=PATIENCE)
        except BaseException as reason:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(reason, subprocess.TimeoutExpired):
                return None
            raise
    return subprocess.CompletedProcess(limited, process.returncode, output, errors)


COMPILERS = {
    "lua": Compiler(
        scorer=lua.SCORER,
        programs=("luac", "luac5.1", "luac5.2", "luac5.3", "luac5.4"),
        refused=_refused_by_luac,
        good="local a = missing.b\n",
        bad="local = 1\n",
    ),
    "java": Compiler(
        scorer=java.SCORER,
        programs=("javac",),
        refused=_refused_by_javac,
        good="class A extends Missing { }\n",
        bad="class A { int = 1; }\n",
    ),
}
