"""The native kernel: compiled for this machine at first use, loaded, its functions declared.

The package contains the C sources; the first process that needs the library compiles it
(`compilation`). Without a compiler, or with CHARMILL_NATIVE=0, torch computes instead.
"""

import ctypes
import functools
import logging
import os
from ctypes import CDLL, POINTER, c_char_p, c_float, c_int64, c_void_p
from pathlib import Path

from modeling.native.compilation import NoLibraryError, built
from system.settings import Settings, variable

VARIABLE = variable("native")

_FOLDER = Path(__file__).parent

_log = logging.getLogger(__name__)


class Network(ctypes.Structure):
    """The weights, as declared in `structures.h`."""

    _fields_ = (
        *((name, c_int64) for name in ("vocabulary", "hidden", "layers", "norm", "skip")),
        ("mixed", c_int64),
        *((name, c_void_p) for name in ("table", "biases", "gain", "shift", "output_bias")),
        *((name, c_void_p) for name in ("forward", "backward", "halves")),
        ("embedding", c_int64),
        *((name, c_void_p) for name in ("input", "input_halves", "input_backward")),
        *((name, c_void_p) for name in ("direct", "direct_halves", "direct_backward")),
        *((name, c_int64) for name in ("order", "rows")),
        *((name, c_void_p) for name in ("characters", "ngrams", "codes", "powers", "kinds")),
    )


class Chunk(ctypes.Structure):
    """Characters, states and all values computed from them, as declared in `structures.h`."""

    _fields_ = (
        *((name, c_int64) for name in ("streams", "length", "mark", "keep")),
        *((name, c_void_p) for name in ("ids", "before", "lines", "runs", "vectors")),
        *((name, c_void_p) for name in ("embedded", "embedded_gradients")),
        *((name, c_void_p) for name in ("targets", "masks")),
        *((name, c_void_p) for name in ("gates", "cells", "hiddens")),
        *((name, c_void_p) for name in ("inputs", "normed", "rstd", "features")),
        *((name, c_void_p) for name in ("logits", "nats", "values", "words")),
        ("room", c_int64),
        *((name, c_void_p) for name in ("hidden_gradients", "cell_gradients", "input_gradients")),
        *((name, c_void_p) for name in ("gain_gradients", "shift_gradients")),
        *((name, c_float) for name in ("scale", "temperature")),
    )


_SIZES = {"packed_size": 3, "scratch_size": 1, "widens_halves": 0, "has_wide_tiles": 0}
_CALLS = {
    "use_large_pages": (c_void_p, c_int64),
    "use_wide_tiles": (c_int64,),
    "pack": (c_int64, c_int64, c_int64, c_void_p, c_int64, c_int64, c_void_p),
    "transposed_products": (
        *(c_int64, c_int64, c_int64, POINTER(c_int64), c_void_p, c_int64),
        *(POINTER(c_void_p), POINTER(c_void_p), c_void_p),
    ),
    "sum_rows": (c_int64, c_int64, c_void_p, c_void_p, c_int64, c_void_p),
    "find_rows": (c_void_p, c_int64, *(c_void_p,) * 4, c_int64, c_int64),
    "sum_of_rows": (c_int64, c_int64, *(c_void_p,) * 3, c_int64, c_int64),
    "adagrad": (
        *(c_int64, c_int64, c_int64, c_void_p, c_void_p, c_float),
        *(*(c_void_p,) * 4, c_int64, c_int64),
    ),
    "forward": (c_void_p, c_void_p, c_int64, c_int64),
    "backward": (c_void_p, c_void_p, c_int64, c_int64),
    "draw": (c_void_p, c_void_p, c_void_p, c_int64, c_int64),
    "evaluate": (c_int64, c_void_p, c_void_p, c_void_p, c_void_p),
}
_LAYOUT = "structure_layout"


def library() -> CDLL | None:
    """Load the kernel, compiling it if necessary; None if torch must compute."""
    return _loaded() if Settings().native else None


@functools.cache
def _loaded() -> CDLL | None:
    try:
        return _declared(CDLL(str(built(_FOLDER))))
    except (NoLibraryError, OSError) as error:
        # If several processes train together, only the first one warns.
        if os.environ.get("RANK", "0") == "0":
            _log.warning(
                "no native kernel, so torch computes, slower: %s; set %s=0 to silence this warning",
                *(error, VARIABLE),
            )
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
    layout = loaded[_LAYOUT]
    layout.restype = c_char_p
    if layout().decode() != _layout():
        raise RuntimeError("structures.h and library.py differ")
    return loaded


def _layout() -> str:
    """Names and offsets of the fields of both structures, as `structure_layout` in C gives them."""
    return "".join(
        f"{name} {getattr(structure, name).offset}\n"
        for structure in (Network, Chunk)
        for name in (field[0] for field in structure._fields_)
    )


def library_name() -> str:
    """A name that identifies the kernel's sources, compiler and processor; "" without one."""
    loaded = library()
    return Path(loaded._name).name if loaded else ""
