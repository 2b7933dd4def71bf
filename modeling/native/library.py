"""The compiled kernel: built at first use, for this very machine, kept in the user's cache.

The C sources travel with the package. The first process that needs them compiles them (some
seconds) into `$XDG_CACHE_HOME/charmill` under a name that follows from the sources, the compiler
and the processor, so an edited source, another compiler or another machine never meets a stale
library. Without a compiler, or with CHARMILL_NATIVE=0, there is no library, and torch computes.
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
import subprocess
import tempfile
from ctypes import CDLL, POINTER, c_float, c_int64, c_void_p
from pathlib import Path

VARIABLE = "CHARMILL_NATIVE"

_FOLDER = Path(__file__).parent
_SECONDS = 600
_OPTIONS = (
    *("-O3", "-std=gnu11", "-fopenmp-simd", "-fPIC", "-fno-semantic-interposition"),
    *("-fno-math-errno", "-fno-trapping-math"),
)

_log = logging.getLogger(__name__)


class Network(ctypes.Structure):
    """The weights, as `lstm.c` declares them."""

    _fields_ = (
        *((name, c_int64) for name in ("vocabulary", "hidden", "layers", "norm", "skip")),
        ("mixed", c_int64),
        *((name, c_void_p) for name in ("table", "biases", "gain", "shift", "output_bias")),
        *((name, c_void_p) for name in ("forward", "backward")),
        ("embedding", c_int64),
        *((name, c_void_p) for name in ("input", "input_backward")),
        *((name, c_int64) for name in ("order", "rows")),
        *((name, c_void_p) for name in ("ngrams", "codes", "powers")),
    )


class Chunk(ctypes.Structure):
    """Characters, states and all that is computed from them, as `lstm.c` declares them."""

    _fields_ = (
        *((name, c_int64) for name in ("streams", "length", "mark", "keep")),
        *((name, c_void_p) for name in ("ids", "before", "vectors")),
        *((name, c_void_p) for name in ("embedded", "embedded_gradients")),
        *((name, c_void_p) for name in ("targets", "masks")),
        *((name, c_void_p) for name in ("gates", "cells", "hiddens")),
        *((name, c_void_p) for name in ("inputs", "normed", "rstd", "features")),
        *((name, c_void_p) for name in ("logits", "nats", "values", "words")),
        ("room", c_int64),
        *((name, c_void_p) for name in ("hidden_gradients", "cell_gradients", "input_gradients")),
        *((name, c_void_p) for name in ("gain_gradients", "shift_gradients")),
        ("scale", c_float),
    )


_SIZES = {"packed_size": 3, "scratch_size": 1, "prefers_mixed": 0}
_CALLS = {
    "use_large_pages": (c_void_p, c_int64),
    "pack": (c_int64, c_int64, c_int64, c_void_p, c_int64, c_int64, c_void_p),
    "transposed_products": (
        *(c_int64, c_int64, c_int64, POINTER(c_int64), c_void_p, c_int64),
        *(POINTER(c_void_p), POINTER(c_void_p), c_void_p),
    ),
    "sum_rows": (c_int64, c_int64, c_void_p, c_void_p, c_int64, c_void_p),
    "forward": (c_void_p, c_void_p, c_int64, c_int64),
    "backward": (c_void_p, c_void_p, c_int64, c_int64),
    "draw": (c_void_p, c_void_p, c_void_p, c_int64, c_int64),
    "evaluate": (c_int64, c_void_p, c_void_p, c_void_p, c_void_p),
}


def library() -> CDLL | None:
    """Load the kernel, compiled if need be; None if torch is to compute."""
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


@functools.cache
def _loaded() -> CDLL | None:
    try:
        return _declared(CDLL(str(_built())))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or error
        _log.debug("no native kernel, torch computes: %s", reason)
        return None


def _declared(loaded: CDLL) -> CDLL:
    for name, arguments in _SIZES.items():
        function = loaded[name]
        setattr(loaded, name, function)
        function.argtypes, function.restype = (c_int64,) * arguments, c_int64
    for name, types in _CALLS.items():
        function = loaded[name]
        setattr(loaded, name, function)
        function.argtypes, function.restype = types, None
    return loaded


def _built() -> Path:
    """The compiled library of these sources, this compiler and this processor."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    target = "-mcpu=native" if arm else "-march=native"
    command = [*shlex.split(os.environ.get("CC", "cc")), *_OPTIONS, target]
    path = _cache() / f"lstm-{_digest(command)}.so"
    if not path.exists():
        _compile([*command, "-shared", str(_FOLDER / "lstm.c"), "-lm"], path)
    return path


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "charmill"


def _digest(command: list[str]) -> str:
    """Of the sources and of what the compiler says of itself and of the processor."""
    macros = subprocess.run(
        [*command, "-dM", "-E", "-x", "c", os.devnull],
        capture_output=True,
        check=True,
        timeout=_SECONDS,
    )
    digest = hashlib.sha256(shlex.join(command).encode() + macros.stdout)
    for source in sorted(_FOLDER.glob("*.[ch]")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _compile(command: list[str], path: Path) -> None:
    """Make `path`, whole or not at all, whoever else is making it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        subprocess.run(
            [*command, "-o", str(made)],
            capture_output=True,
            check=True,
            text=True,
            timeout=_SECONDS,
        )
        with made.open("rb+") as file:
            # The loader dies of a library that a loss of power cut short.
            os.fsync(file.fileno())
        made.replace(path)
    _log.debug("compiled %s", path)
