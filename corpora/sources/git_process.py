"""Run git on repositories that nobody vouches for.

The user's own git configuration (proxy, credentials, `insteadOf` mirrors) keeps working; what the
environment could slip in does not. Every command leads its own process group, dies with this
process, and gives up on a server that stalls.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from corpora.children import dying_with_parent
from corpora.errors import SourceError

HOSTILE_VARIABLES = (
    "GIT_TEMPLATE_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "GIT_PROXY_COMMAND",
    "GIT_EDITOR",
    "GIT_PAGER",
    "GIT_ASKPASS",
    "GIT_EXEC_PATH",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)
STALL_SECONDS = 60
NOTHING: Mapping[str, str] = MappingProxyType({})


def git_environment() -> dict[str, str]:
    """The environment git runs in: ours, less what could run a command, plus limits."""
    kept = {k: v for k, v in os.environ.items() if k not in HOSTILE_VARIABLES}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": str(STALL_SECONDS),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


@contextmanager
def git(
    arguments: Sequence[str],
    *,
    directory: Path | None = None,
    variables: Mapping[str, str] = NOTHING,
) -> Iterator[subprocess.Popen]:
    """Run git with pipes on all three streams; whatever happens, nothing of it is left running.

    Args:
        variables: laid over the environment: where a secret goes, which has no place in argv.
    """
    process = subprocess.Popen(
        ["git", *arguments],
        cwd=directory,
        env=git_environment() | dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=dying_with_parent(signal.SIGKILL),  # noqa: PLW1509 (touches no lock)
    )
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
    directory: Path | None = None,
    variables: Mapping[str, str] = NOTHING,
    about: str,
) -> bytes:
    """Run git to its end and give what it printed.

    Raises:
        SourceError: `about` and git's own last words, if it fails.
    """
    with git(arguments, directory=directory, variables=variables) as process:
        output, errors = process.communicate()
    if process.returncode:
        raise SourceError(f"{about}: {last_words(errors.decode('utf-8', 'replace'))}")
    return output


def last_words(stderr: str) -> str:
    """The line of git's stderr that says what went wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    text = (telling or lines or ["git failed without a word"])[0]
    return text.removeprefix("fatal: ").removeprefix("error: ")


def _kill_group(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
