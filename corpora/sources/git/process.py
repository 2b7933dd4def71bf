"""Run git on repositories that nobody vouches for.

The user's own configuration keeps working, from files and from GIT_CONFIG_* variables: proxy,
credentials, certificates, `insteadOf` mirrors, `core.sshCommand`. Every other GIT_* variable stays
outside: one could run a command, another lead git to other objects. No repository is looked for in
the working directory, no hook runs. Every command leads its own process group, dies with this
process, and is killed once it has been silent for STALL_SECONDS.
"""

import errno
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO

from corpora.errors import SourceError
from system.processes import dying_with_parent

OWN_VARIABLES = re.compile(
    r"(?!GIT_)|GIT_CONFIG_|GIT_SSL_|GIT_PROXY_SSL_|GIT_HTTP_|GIT_ALLOW_PROTOCOL$"
)
"""What begins so is the user's own and reaches git."""
STALL_SECONDS = 180.0
"""Silence after which git is given up. It speaks with every 64 kB that a server sends, and at
every per cent of its own work, so a slow clone may take hours."""
POLL_SECONDS = 0.5
PIECE_BYTES = 2**16
MAX_OUTPUT_BYTES = 2**28
"""Nested trees of a few kilobytes list as billions of files; two million fit into this."""
NO_SPACE = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
}
NOT_TELLING = "fatal: Could not read from remote repository."
MAX_WORDS = 500
NOTHING: Mapping[str, str] = MappingProxyType({})


class GitError(SourceError):
    """Git ended with an error of its own."""


def git_environment() -> dict[str, str]:
    """The environment git runs in: ours, of its GIT_* variables the user's configuration only."""
    kept = {k: v for k, v in os.environ.items() if OWN_VARIABLES.match(k)}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        # For helpers that no group kill reaches, because this process was killed itself.
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": f"{STALL_SECONDS:.0f}",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


@contextmanager
def git(
    arguments: Sequence[str],
    *,
    bare: Path | None = None,
    variables: Mapping[str, str] = NOTHING,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run git, its output a pipe; whatever happens, nothing of it is left running.

    Args:
        bare: the repository it works in, None if in none.
        variables: laid over the environment: where a secret goes, which has no place in argv.

    Raises:
        SourceError: if there is no git.
    """
    place = f"--git-dir={bare or os.devnull}"
    try:
        process = subprocess.Popen(
            ["git", place, "-c", f"core.hooksPath={os.devnull}", *arguments],
            env=git_environment() | dict(variables),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGKILL),  # noqa: PLW1509 (touches no lock)
        )
    except FileNotFoundError:
        raise SourceError("git is not installed, or not on PATH") from None
    try:
        with process:
            try:
                yield process
            except BaseException:
                _kill_group(process)
                raise
    finally:
        _kill_group(process)


def git_output(
    arguments: Sequence[str],
    *,
    bare: Path | None = None,
    variables: Mapping[str, str] = NOTHING,
    about: str,
) -> bytes:
    """Run git to its end and give what it printed.

    Raises:
        GitError: `about` and git's own last words, if it fails.
        SourceError: if it stalls, or prints more than MAX_OUTPUT_BYTES.
        OSError: if the disk is full.
    """
    printed, errors = bytearray(), bytearray()
    with git(arguments, bare=bare, variables=variables) as process:
        for stream, piece in listen(process, about):
            kept = printed if stream is process.stdout else errors
            kept += piece
            if len(kept) > MAX_OUTPUT_BYTES:
                raise SourceError(f"{about}: git lists more than {MAX_OUTPUT_BYTES:,} bytes")
    if process.returncode:
        raise failure(process, errors.decode("utf-8", "replace"), about, bare)
    return bytes(printed)


def listen(process: subprocess.Popen[bytes], about: str) -> Iterator[tuple[IO[bytes], bytes]]:
    """Yield what git prints on its pipes, piece by piece, until it ends.

    Time that passes between two pieces asked for is not silence.

    Raises:
        SourceError: if git has been silent for STALL_SECONDS.
    """
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, stream)
        heard = time.monotonic()
        while selector.get_map():
            ready = selector.select(POLL_SECONDS)
            for key, _ in ready:
                if piece := os.read(key.fd, PIECE_BYTES):
                    yield key.data, piece
                    heard = time.monotonic()
                else:
                    selector.unregister(key.data)
            if not ready and process.poll() is not None:
                return  # A child that outlives git holds its pipes open.
            if not ready and time.monotonic() - heard > STALL_SECONDS:
                raise _stalled(about)
    try:
        process.wait(STALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise _stalled(about) from None


def failure(
    process: subprocess.Popen[bytes], stderr: str, about: str, bare: Path | None
) -> GitError | OSError:
    """What to raise when git has failed: an OSError if the disk under `bare` is full."""
    own = "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))
    for words, number in NO_SPACE.items():
        if words in own:
            return OSError(number, os.strerror(number), str(bare))
    return GitError(f"{about}: {last_words(stderr) or f'git ended with {process.returncode}'}")


def last_words(stderr: str) -> str:
    """The line of git's stderr that says what went wrong, without what a terminal would obey."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if line != NOT_TELLING] or lines
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    text = (telling or lines or [""])[0].removeprefix("fatal: ").removeprefix("error: ")
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_WORDS])


def _stalled(about: str) -> SourceError:
    return SourceError(f"{about}: gave up, nothing came for {STALL_SECONDS:.0f} s")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
