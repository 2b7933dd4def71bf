"""Run git on untrusted repositories.

The user's own configuration applies, from files and from GIT_CONFIG_* variables: proxy,
credentials, certificates, `insteadOf` mirrors, `core.sshCommand`. Every other GIT_* variable is
removed: one could run a command, another point git at other objects. No repository is discovered in
the working directory, and no hook runs. Every command leads its own process group, dies with this
process, and is killed when it has printed nothing for too long.
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
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from corpora.errors import SourceError
from system.processes import dying_with_parent

OWN_VARIABLES = re.compile(
    r"(?!GIT_)|GIT_CONFIG_|GIT_SSL_|GIT_PROXY_SSL_|GIT_HTTP_|GIT_ALLOW_PROTOCOL$"
)
"""Variables that are the user's own configuration and are passed to git."""
READ_BYTES = 2**16
NO_SPACE = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
}
UNSPECIFIC = "fatal: Could not read from remote repository."
MAX_MESSAGE_CHARACTERS = 500
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLimits:
    """When to give up on git.

    Attributes:
        stall_seconds: time without output. git prints something for every 64 kB from a server and
            for every per cent of its own work, so a slow clone may still take hours.
        poll_seconds: how often a silent git is checked.
        output_bytes: size of a listing. Nested trees of a few kilobytes can list as billions of
            files; two million fit into this.
    """

    stall_seconds: float = 180.0
    total_seconds: float = 12 * 3600.0
    poll_seconds: float = 0.5
    output_bytes: int = 2**28


LIMITS = GitLimits()


class GitError(SourceError):
    """git failed with an error."""


def git_environment(limits: GitLimits = LIMITS) -> dict[str, str]:
    """The environment for git: ours, with the user's configuration as the only GIT_* variables."""
    kept = {k: v for k, v in os.environ.items() if OWN_VARIABLES.match(k)}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        # For helpers that survive because this process was killed and could not kill their group.
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": f"{limits.stall_seconds:.0f}",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


@contextmanager
def git(
    arguments: Sequence[str],
    *,
    bare: Path | None = None,
    variables: Mapping[str, str] = NO_VARIABLES,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.PIPE,
    limits: GitLimits = LIMITS,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run git with its output in a pipe; no process of it outlives the block.

    Args:
        bare: the repository to work in, None for none.
        variables: added to the environment; this is where secrets go, as argv is public.

    Raises:
        SourceError: if git is not installed.
    """
    fixed = ("git", f"--git-dir={bare or os.devnull}", "-c", f"core.hooksPath={os.devnull}")
    try:
        process = subprocess.Popen(
            # git takes names as UTF-8 in any locale.
            [*fixed, *(each.encode("utf-8", "surrogateescape") for each in arguments)],
            env=git_environment(limits) | dict(variables),
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
    variables: Mapping[str, str] = NO_VARIABLES,
    about: str,
    limits: GitLimits = LIMITS,
) -> bytes:
    """Run git to its end and return what it printed.

    Args:
        about: what git works on; begins every error.

    Raises:
        GitError: if git fails; ends in git's own message.
        SourceError: if it stalls, or prints more than the limits allow.
        OSError: if the disk is full.
    """
    printed, errors = bytearray(), bytearray()
    with git(arguments, bare=bare, variables=variables, limits=limits) as process:
        for stream, piece in read_output(process, about, limits):
            output = printed if stream is process.stdout else errors
            output += piece
            if len(output) > limits.output_bytes:
                raise SourceError(f"{about}: git lists more than {limits.output_bytes:,} bytes")
    if process.returncode:
        raise failure(process, errors.decode("utf-8", "replace"), about, bare)
    return bytes(printed)


def read_output(
    process: subprocess.Popen[bytes], about: str, limits: GitLimits = LIMITS
) -> Iterator[tuple[IO[bytes], bytes]]:
    """Yield what git prints on its pipes, piece by piece, until it ends.

    Only time spent waiting for git counts as silence, not the caller's work between two pieces.

    Raises:
        SourceError: if git prints nothing for `limits.stall_seconds`, or does not end in
            `limits.total_seconds`.
    """
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, stream)
        last_output = began = time.monotonic()
        while selector.get_map():
            if time.monotonic() - began > limits.total_seconds:
                raise SourceError(f"{about}: gave up after {limits.total_seconds:.0f} s")
            ready = selector.select(limits.poll_seconds)
            for key, _ in ready:
                if piece := os.read(key.fd, READ_BYTES):
                    yield key.data, piece
                    last_output = time.monotonic()
                else:
                    selector.unregister(key.data)
            if not ready and process.poll() is not None:
                return  # A child that outlives git keeps its pipes open.
            if not ready and time.monotonic() - last_output > limits.stall_seconds:
                raise _stalled(about, limits)
    try:
        process.wait(limits.stall_seconds)
    except subprocess.TimeoutExpired:
        raise _stalled(about, limits) from None


def failure(
    process: subprocess.Popen[bytes], stderr: str, about: str, bare: Path | None
) -> GitError | OSError:
    """The error to raise when git has failed: an OSError if the disk under `bare` is full."""
    own = "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))
    for words, number in NO_SPACE.items():
        if words in own:
            return OSError(number, os.strerror(number), str(bare))
    return GitError(f"{about}: {error_line(stderr) or f'git ended with {process.returncode}'}")


def error_line(stderr: str) -> str:
    """The line of git's stderr that says what went wrong, without control characters."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if line != UNSPECIFIC] or lines
    specific = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    text = (specific or lines or [""])[0].removeprefix("fatal: ").removeprefix("error: ")
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_MESSAGE_CHARACTERS])


def _stalled(about: str, limits: GitLimits) -> SourceError:
    return SourceError(f"{about}: gave up, nothing came for {limits.stall_seconds:.0f} s")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
