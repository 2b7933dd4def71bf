"""Score hostile text in a worker process that may die without harm.

Samples and corpora can exhaust time, memory or the C stack of a parser. Each text is scored in a
worker with limits; a text that kills it gets an outcome of its own, and the next one a new worker.
The kernel keeps the clock: the worker sets an alarm before each text, so it also ends by itself
when its parent is gone. Costs 0.1 ms a text, and 0.2 s for each worker that starts.
"""

import json
import math
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

from evaluation.errors import ScoreError
from evaluation.results import Mark, Tally, TextScore
from evaluation.scorers import SCORERS

MAX_BYTES = 2**30
"""Address space of a worker."""
_LENGTH = struct.Struct(">Q")
"""Stands before every message on the pipes."""

Shape = Literal["sample", "file"]


def score_all(
    language: str,
    texts: Iterable[str],
    *,
    shape: Shape = "sample",
    seconds: float = 5.0,
    command: Sequence[str] = (sys.executable, "-m", "evaluation.isolation"),
) -> Iterator[TextScore]:
    """Score texts in order; none of them can harm this process.

    Args:
        language: a key of SCORERS.
        texts: samples, windows or files, read as they are needed.
        shape: "sample" for samples and windows (files joined by file marks, the first and the last
            one cut), "file" for whole files.
        seconds: wall time that one text may take.
        command: starts a worker that calls `serve`.

    Yields:
        One score a text; outcome "timeout" or "crash", without tallies, where it killed the worker.

    Raises:
        ScoreError: if no scorer has that language.
    """
    if language not in SCORERS:
        raise ScoreError(f"no scorer for language {language!r}; known: {', '.join(SCORERS)}")
    worker: subprocess.Popen[bytes] | None = None
    try:
        for text in texts:
            worker = worker or _start(command, language, shape, seconds)
            answer = _ask(worker, text)
            if answer is None:
                yield TextScore(tallies={}, outcome=_outcome(worker))
                worker = None
            else:
                yield answer
    finally:
        if worker:
            worker.kill()
            worker.communicate()


def _start(
    command: Sequence[str], language: str, shape: Shape, seconds: float
) -> subprocess.Popen[bytes]:
    """Start a worker where this package can be imported, with one thread for the BLAS library."""
    return subprocess.Popen(
        [*command, language, shape, str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )


def _ask(worker: subprocess.Popen[bytes], text: str) -> TextScore | None:
    """The worker's score of one text, None if it died over it."""
    assert worker.stdin
    assert worker.stdout
    try:
        _write(worker.stdin, text.encode("utf-8", "surrogatepass"))
    except BrokenPipeError:
        return None
    reply = _read(worker.stdout)
    return None if reply is None else _decode(reply)


def _outcome(worker: subprocess.Popen[bytes]) -> Literal["timeout", "crash"]:
    """Why a worker closed its pipe; what it died of stands even if it is killed again."""
    worker.kill()
    worker.communicate()
    return "timeout" if -worker.returncode in (signal.SIGALRM, signal.SIGXCPU) else "crash"


def serve() -> None:
    """Be a worker: answer texts from standard input until it closes."""
    language, shape, seconds = sys.argv[-3:]
    scorer = SCORERS[language]
    judge = scorer.score if shape == "sample" else scorer.score_file
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _limit(resource.RLIMIT_AS, MAX_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    while (text := _read(sys.stdin.buffer)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + float(seconds)) + 1)
        signal.setitimer(signal.ITIMER_REAL, float(seconds))
        score = judge(text.decode("utf-8", "surrogatepass"))
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(sys.stdout.buffer, _encode(score))


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, hard))


def _write(stream: IO[bytes], message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """The next message, None if the other side is gone."""
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
