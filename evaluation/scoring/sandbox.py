"""Score hostile text in worker processes that may be killed without harm.

Samples and corpora can exhaust time, memory or the C stack of a parser. Each text is scored in a
worker with limits; the outcome of a text that kills the worker is "timeout" or "crash", and the
next text gets a new worker. The timers are the kernel's: the worker sets two before each text, so
it also ends if its parent has died. The limit is on CPU time, so that results do not depend on the
load of the machine; the limit on wall time only catches a worker that blocks. Cost: 0.1 ms per
text, and 0.2 s per worker started.

Texts are sent to the workers in turn, and their scores are read in the same order. A worker gets a
text only after its last score was read, so the pipes cannot deadlock.
"""

import gc
import json
import os
import resource
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Literal, get_args

from evaluation.errors import ScoreError
from evaluation.languages import LANGUAGES, Scorer, known_languages
from evaluation.results import Mark, Tally, TextScore

MAX_BYTES = 2**30
"""Address space of a worker."""
WALL_FACTOR = 60
"""Limit on wall time, as a multiple of the limit on CPU time."""
_LENGTH = struct.Struct(">Q")
"""Header of every message on the pipes."""

Shape = Literal["window", "sample", "file", "file unparsed"]
"""Kind of a text: a window (files joined by file marks, the first and the last one cut), a sample
(the same, but the first one begins where the text does), a whole file, or a whole file whose units
are not parsed with a grammar."""
SHAPES: tuple[Shape, ...] = get_args(Shape)
COMMAND = (sys.executable, "-m", "evaluation.scoring.sandbox")
UNCAUGHT, EXHAUSTED = 1, 3
"""Exit statuses of a worker: of Python for an exception, and for a text that needs too much."""


def score_all(
    language: str,
    texts: Iterable[str],
    *,
    shape: Shape = "window",
    seconds: float = 5.0,
    command: Sequence[str] = COMMAND,
) -> Iterator[TextScore]:
    """Score texts of one shape in order, with one worker; see `score_each`."""
    shaped: Iterable[tuple[Shape, str]] = ((shape, text) for text in texts)
    return score_each(language, shaped, seconds=seconds, command=command)


def score_each(
    language: str,
    texts: Iterable[tuple[Shape, str]],
    *,
    workers: int = 1,
    seconds: float = 5.0,
    command: Sequence[str] = COMMAND,
) -> Iterator[TextScore]:
    """Score texts in order; none of them can harm this process.

    Args:
        language: a key of LANGUAGES.
        texts: shape and text of each, consumed lazily.
        workers: number of processes.
        seconds: limit on the CPU time of one text.
        command: starts a worker, which calls `serve`.

    Yields:
        One score per text. If it ended its worker, there are no tallies, and the outcome says why.

    Raises:
        ScoreError: the language is unknown.
    """
    if language not in LANGUAGES:
        raise ScoreError(f"no language {language!r}; known: {known_languages()}")
    arguments = (LANGUAGES[language].module, str(seconds))
    pool = [_Worker((*command, *arguments)) for _ in range(workers)]
    idle, busy = deque(pool), deque[_Worker]()
    try:
        for shape, text in texts:
            if not idle:
                idle.append(busy.popleft())
                yield idle[0].score()
            idle[0].send(shape, text)
            busy.append(idle.popleft())
        while busy:
            idle.append(busy.popleft())
            yield idle[-1].score()
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """A process that scores one text at a time; it is started, and restarted, on demand.

    Args:
        command: starts the process.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def send(self, shape: Shape, text: str) -> None:
        """Send a text; if the process is dead by then, `score` reports it."""
        self._process = self._process or _start(self._command)
        assert self._process.stdin
        message = bytes([SHAPES.index(shape)]) + text.encode("utf-8", "surrogatepass")
        with suppress(BrokenPipeError):
            _write(self._process.stdin, message)

    def score(self) -> TextScore:
        """Wait for the score of the text that was sent."""
        assert self._process
        assert self._process.stdout
        reply = _read(self._process.stdout)
        if reply is not None:
            return _decode(reply)
        dead, self._process = self._process, None
        return TextScore(tallies={}, outcome=_outcome(dead))

    def stop(self) -> None:
        """Kill the process, if there is one."""
        if self._process:
            self._process.kill()
            self._process.communicate()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a worker in a folder from which this package can be imported, with one BLAS thread."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )


def _outcome(worker: subprocess.Popen[bytes]) -> Literal["timeout", "crash", "bug"]:
    """Why a worker closed its pipe; killing it again does not change how it ended."""
    worker.kill()
    worker.communicate()
    if -worker.returncode in (signal.SIGALRM, signal.SIGPROF):
        return "timeout"
    return "bug" if worker.returncode == UNCAUGHT else "crash"


def serve() -> None:
    """Run as a worker: score texts from standard input until it closes."""
    scorer: Scorer = import_module(sys.argv[-2]).SCORER
    seconds = float(sys.argv[-1])
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _limit(resource.RLIMIT_AS, MAX_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    while (message := _read(sys.stdin.buffer)) is not None:
        _set_timers(seconds)
        text = message[1:].decode("utf-8", "surrogatepass")
        try:
            score = _score(scorer, SHAPES[message[0]], text)
        except (MemoryError, RecursionError):
            sys.exit(EXHAUSTED)
        _set_timers(0)
        _write(sys.stdout.buffer, _encode(score))


def collect_rarely() -> None:
    """Make the garbage collector look for cycles rarely.

    A text of 1 MB has 40,000 tokens, none of them in a cycle; to visit them took an eighth of the
    time of scoring.
    """
    gc.set_threshold(100_000)


def _set_timers(seconds: float) -> None:
    """Let the kernel kill this process after this CPU time, or far more wall time; 0: never."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WALL_FACTOR * seconds)


def _score(scorer: Scorer, shape: Shape, text: str) -> TextScore:
    if shape in ("window", "sample"):
        return scorer.score(text, from_start=shape == "sample")
    return scorer.score_file(text, parse_units=shape == "file")


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, hard))


def _write(stream: IO[bytes], message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """The next message, None if the other side has closed the pipe."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    message = stream.read(length)
    return message if len(message) == length else None


def _encode(score: TextScore) -> bytes:
    error = score.first_error
    tallies = {key: (tally.amount, tally.of) for key, tally in score.tallies.items()}
    return json.dumps((tallies, error and (error.offset, error.message))).encode()


def _decode(reply: bytes) -> TextScore:
    tallies, error = json.loads(reply)
    return TextScore(
        tallies={key: Tally(amount, of) for key, (amount, of) in tallies.items()},
        first_error=error and Mark(offset=error[0], message=error[1]),
    )


if __name__ == "__main__":
    serve()
