"""Compiles the kernel with the machine's C compiler, and keeps the library in the user's cache.

The file name of a library contains two digests. One covers everything that the library depends on
(sources, compiler, options, processor features), so that an edited source, another compiler or
another machine with the same home directory never loads a stale library. The other covers its own
bytes, so that a damaged library is compiled again instead of being loaded. Code is only loaded from
a folder that nobody else can write to. Libraries that were not loaded for 90 days are deleted when
another one is compiled.
"""

import hashlib
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from system.files import sync_path

_COMPILERS = ("cc", "gcc", "clang")
_OPTIONS = (
    *("-O3", "-std=gnu11", "-fopenmp-simd", "-fPIC", "-fno-semantic-interposition"),
    *("-fno-math-errno", "-fno-trapping-math"),
)
_ARM = ("arm64", "aarch64")
_MACROS = {"x86_64": "__x86_64__", "amd64": "__x86_64__"} | dict.fromkeys(_ARM, "__aarch64__")
_SECONDS = 120
"""Time limit of the compiler; a machine under load takes ten times as long as an idle one."""
_UNUSED_SECONDS = 90 * 86_400
_LONGEST = 200
_REASONS = ("no space left", "error", "")
"""Parts of the most informative line of a failure, the best first."""
_ELSEWHERE = "XDG_CACHE_HOME may name another folder"
_TRIAL = """
import ctypes, sys
row = ctypes.c_float * 40
ones, *results = row(*[1.0] * 40), row(), row(), row()
ctypes.CDLL(sys.argv[1]).evaluate(ctypes.c_int64(40), ones, *results)
sys.exit(not all(abs(result - 2.7182818) < 1e-6 for result in results[0]))
"""

_log = logging.getLogger(__name__)


class NoLibraryError(Exception):
    """There is no library; the message says why, and what to do."""


class _RefusedError(NoLibraryError):
    """The compiler failed, or its output does not work."""


def built(sources: Path) -> Path:
    """Return the library of the sources in a folder, compiling it if necessary.

    Raises:
        NoLibraryError: it cannot be compiled, or must not be loaded.
    """
    cache = cache_folder()
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(cache)
        if os.statvfs(cache).f_flag & getattr(os, "ST_NOEXEC", 0):
            raise NoLibraryError(f"nothing in {cache} can be executed (noexec); {_ELSEWHERE}")
        return _best(_compiler(), sources, cache)
    except OSError as error:
        raise NoLibraryError(f"{error}; {_ELSEWHERE}") from error


def cache_folder() -> Path:
    """Return the user's folder for libraries and measurements of this machine.

    Raises:
        NoLibraryError: the user has no home directory.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "charmill"
    try:
        return Path.home() / ".cache" / "charmill"
    except RuntimeError as error:
        raise NoLibraryError(f"{str(error).rstrip('.')}; {_ELSEWHERE}") from error


def _check_owner(path: Path) -> None:
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        raise NoLibraryError(f"{path} belongs to another user; {_ELSEWHERE}")
    if status.st_mode & 0o022:
        raise NoLibraryError(
            f"others can write to {path}, so loading code from it is unsafe; remove it or revoke "
            "their write permission, and try again"
        )


def _compiler() -> list[str]:
    """The command in `CC`, or the first compiler found."""
    if given := os.environ.get("CC", "").strip():
        return _command(given)
    for name in _COMPILERS:
        if shutil.which(name):
            return [name]
    known = ", ".join(_COMPILERS)
    raise NoLibraryError(f"no C compiler ({known}); install one, or set CC")


def _command(given: str) -> list[str]:
    """The words of `CC`, of which the first must be a program."""
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise NoLibraryError(f"CC={given!r} is not a command: {error}") from error
    if not shutil.which(command[0]):
        raise NoLibraryError(f"CC={given!r}: {command[0]!r} is no program that can be executed")
    return command


def _best(compiler: list[str], sources: Path, cache: Path) -> Path:
    """The library for this processor, or if the compiler does not support it, for AVX2.

    Without AVX2 the kernel would train at a third of the speed of torch, which detects the features
    of the processor at run time.
    """
    arm = platform.machine().lower() in _ARM
    targets = [["-mcpu=native"], []] if arm else [["-march=native"], ["-mavx2", "-mfma"]]
    problems = []
    for target in targets:
        try:
            path = _library([*compiler, *_OPTIONS, *target], sources, cache)
        except _RefusedError as error:
            problems.append(error)
        else:
            if problems:
                _log.info("the native kernel is not optimal for this processor: %s", problems[0])
            return path
    raise NoLibraryError(f"{problems[0]}; CC may name another C compiler")


def _library(command: list[str], sources: Path, cache: Path) -> Path:
    key = _key(command, sources)
    kept = _kept(cache, key)
    if kept:
        return kept
    with _alone(cache):
        return _kept(cache, key) or _compiled(command, sources, cache, key)


def _key(command: list[str], sources: Path) -> str:
    """Digest of the sources, the compiler and its options, and the processor."""
    macros = _run([*command, "-dM", "-E", "-x", "c", os.devnull])
    wanted = _MACROS.get(platform.machine().lower(), "")
    if f"#define {wanted}" not in macros:
        raise NoLibraryError(
            f"{shlex.join(command[:1])} does not compile for this processor, "
            f"{platform.machine()}; set CC to a C compiler that does"
        )
    digest = hashlib.sha256(shlex.join(command).encode(errors="surrogateescape"))
    digest.update(macros.encode())
    digest.update(_processor())
    for source in sorted(sources.glob("*.[ch]")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> bytes:
    """Features of the processor, on Linux: `flags` of x86-64, `Features` of ARM."""
    names = Path("/proc/cpuinfo")
    lines = names.read_bytes().splitlines() if names.exists() else []
    features = (line for line in lines if line.startswith((b"flags", b"Features")))
    return next(features, b"")


def _kept(cache: Path, key: str) -> Path | None:
    for path in sorted(cache.glob(f"lstm-{key}-*.so")):
        _check_owner(path)
        if path.stem.endswith(f"-{_digest(path)}"):
            # Explicitly, because many file systems do not record reading.
            with suppress(OSError):
                os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
            return path
        _log.warning("%s is damaged; it is compiled again", path)
        # Another process may have been faster.
        path.unlink(missing_ok=True)
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one process compile while others wait, if the file system supports locks."""
    lock = FileLock(cache / "lock")
    try:
        lock.acquire(timeout=_SECONDS)
    except (Timeout, OSError, NotImplementedError) as error:
        # The lock only saves work, because libraries are published atomically.
        _log.debug("compiling without a lock: %s", error)
    try:
        yield
    finally:
        lock.release()


def _compiled(command: list[str], sources: Path, cache: Path, key: str) -> Path:
    """Compile and try the library, and publish it atomically."""
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        library = Path(folder) / "lstm.so"
        _run([*command, "-shared", str(sources / "lstm.c"), "-lm", "-o", str(library)])
        if not library.exists():
            raise _RefusedError(f"{command[0]} wrote no library")
        # In a separate process, because loading a broken library can crash it.
        _run(
            [sys.executable, "-I", "-S", "-c", _TRIAL, str(library)],
            name=f"the library of {command[0]}",
        )
        library.chmod(0o644)
        sync_path(library)  # against a library that a power failure truncates
        path = cache / f"lstm-{key}-{_digest(library)}.so"
        library.replace(path)
    _log.debug("compiled %s", path)
    _delete_unused(cache)
    return path


def _delete_unused(cache: Path) -> None:
    """Delete the libraries of earlier versions; a process that has loaded one keeps it."""
    for path in cache.glob("lstm-*.so"):
        with suppress(OSError):
            if path.stat().st_atime < time.time() - _UNUSED_SECONDS:
                path.unlink()


def _run(command: list[str], name: str = "") -> str:
    """Run a program; return its output."""
    name = name or command[0]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise NoLibraryError(f"{name} did not finish within {_SECONDS} s") from error
    except OSError as error:
        raise NoLibraryError(
            f"{name}: {error.strerror or error}; CC may name another C compiler"
        ) from error
    if done.returncode:
        raise _RefusedError(f"{name}: {_reason(done)}")
    return done.stdout


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    """The most informative line about why a program failed."""
    if done.returncode < 0:
        return f"{signal.strsignal(-done.returncode)}"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    matching = (line for word in _REASONS for line in lines if word in line.lower())
    line = next(matching, f"exit status {done.returncode}")
    return "".join(c if c.isprintable() else "?" for c in line)[:_LONGEST]
