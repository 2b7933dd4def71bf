"""The kernel in another process: built for any processor, run by its emulator or a sanitizer.

Python and torch run in this process. Every call sends the memory that it points to, each tensor's
storage separately, and fetches it afterwards; so code written for a ctypes library works unchanged.
"""

import ctypes
import subprocess
import threading
from ctypes import c_float, c_void_p
from pathlib import Path

import torch

from modeling.native import library as module

FUNCTIONS = (
    *("packed_size", "scratch_size", "use_large_pages", "pack", "transposed_products"),
    *("sum_rows", "forward", "backward", "draw", "evaluate"),
    *("widens_halves", "has_wide_tiles", "use_wide_tiles"),
    *("find_rows", "sum_of_rows", "adagrad"),
)
"""In the order in which the driver counts them."""
ALLOCATE, FREE, WRITE, READ, CALL = range(5)
ARGUMENTS = 12
DRIVER = Path(__file__).parent / "native_driver.c"


def build_driver(compiler, made):
    """Compile driver and kernel; `compiler` is a command with its options."""
    sources = ["-I", module._FOLDER, DRIVER, "-lm", "-o", made]
    subprocess.run([*compiler, *sources], check=True, capture_output=True)
    return made


class RemoteLibrary:
    """Functions of the kernel, as `library()` returns them."""

    def __init__(self, command):
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._lock = threading.Lock()
        for index, name in enumerate(FUNCTIONS):
            setattr(self, name, _Function(self, index, name))

    def close(self):
        """End the process; returns its stderr."""
        _, said = self._process.communicate()
        return self._process.returncode, said.decode(errors="replace")

    def order(self, *words, then=b""):
        words = [*words, 0, 0][: max(3, len(words))]
        self._process.stdin.write((ctypes.c_int64 * len(words))(*words))
        self._process.stdin.write(then)

    def answer(self, size=8):
        self._process.stdin.flush()
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise RuntimeError(f"the driver ended: {self.close()}")
        return data

    def word(self):
        return int.from_bytes(self.answer(), "little", signed=True)


class Storages:
    """All memory whose address was requested; kept, so that no address is reused."""

    def __init__(self, monkeypatch):
        self._known = {}
        address_of = torch.Tensor.data_ptr

        def data_ptr(tensor):
            storage = tensor.untyped_storage()
            self._known[storage.data_ptr()] = storage
            return address_of(tensor)

        monkeypatch.setattr(torch.Tensor, "data_ptr", data_ptr)

    def at(self, address):
        for base, storage in self._known.items():
            if base <= address < base + max(storage.nbytes(), 1):
                return base, storage.nbytes()
        raise AssertionError(f"no tensor at {address:#x}")


class _Function:
    storages: Storages

    def __init__(self, library, index, name):
        self._library, self._index = library, index
        self._types = module._CALLS.get(name)

    def __call__(self, *arguments):
        with self._library._lock:
            memory = _Memory(self._library, self.storages)
            types = self._types or [ctypes.c_int64] * len(arguments)
            words = [memory.word(*pair) for pair in zip(arguments, types, strict=True)]
            words += [0] * (ARGUMENTS - len(words))
            self._library.order(CALL, self._index, 0, *words)
            result = self._library.word()
            memory.fetch()
            return result


class _Memory:
    """The memory that one call points to, in the other process."""

    def __init__(self, library, storages):
        self._library, self._storages = library, storages
        self._copies = {}
        self._others = []

    def word(self, argument, kind):
        """An argument in the form that the driver expects."""
        if argument is None:
            return 0
        if isinstance(argument, ctypes.Array):
            pointers = argument._type_ is c_void_p
            return self._sent([self._place(a) if pointers else a for a in argument])
        if kind is c_float:
            return int.from_bytes(c_float(argument), "little")
        if not isinstance(argument, int):
            structure = type(argument._obj).from_buffer_copy(argument._obj)
            for name, field in structure._fields_:
                if field is c_void_p:
                    setattr(structure, name, self._place(getattr(structure, name)))
            return self._filled(bytes(structure))
        return self._place(argument) if kind is c_void_p else argument

    def fetch(self):
        """Fetch what the call has written."""
        for base, (there, size) in self._copies.items():
            self._library.order(READ, there, size)
            ctypes.memmove(base, self._library.answer(size), size)
            self._library.order(FREE, there)
        for there in self._others:
            self._library.order(FREE, there)

    def _place(self, address):
        if not address:
            return 0
        base, size = self._storages.at(address)
        if base not in self._copies:
            there = self._allocated(size)
            self._library.order(WRITE, there, size, then=ctypes.string_at(base, size))
            self._copies[base] = there, size
        return self._copies[base][0] + address - base

    def _sent(self, words):
        return self._filled(bytes((ctypes.c_int64 * len(words))(*words)))

    def _filled(self, content):
        there = self._allocated(len(content))
        self._library.order(WRITE, there, len(content), then=content)
        self._others.append(there)
        return there

    def _allocated(self, size):
        self._library.order(ALLOCATE, size)
        return self._library.word()
