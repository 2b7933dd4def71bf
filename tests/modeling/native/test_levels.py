"""The kernel for each kind of processor: built, run, and all results compared with torch's.

What this machine can run is loaded as usual. The rest is run by qemu's user mode, which emulates no
AVX-512: without such a processor those levels are built but not run. The tests of other
processors need `qemu-x86_64`, `qemu-aarch64` and `aarch64-linux-gnu-gcc` (Debian: qemu-user,
gcc-aarch64-linux-gnu, libc6-dev-arm64-cross), those of sanitizers gcc's libasan and libubsan.
"""

import os
import platform
import shlex
import shutil
import subprocess
from ctypes import CDLL
from pathlib import Path

import pytest

from modeling.native import compilation
from modeling.native import library as module
from tests.modeling.agreement import assert_agrees_with_torch
from tests.modeling.native import emulation
from tests.modeling.native.compiler import needs_compiler

CC = shlex.split(os.environ.get("CC", "cc"))
FAST = [option for option in compilation._OPTIONS if option != "-fPIC"]
V4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
LEVELS = {
    "plain C": ([], set()),
    "x86-64": (["-march=x86-64"], set()),
    "x86-64-v3": (["-march=x86-64-v3"], {"avx2", "fma", "bmi2", "f16c"}),
    "x86-64-v4": (["-march=x86-64-v4"], V4),
    "x86-64-v4 with BF16": (["-march=x86-64-v4", "-mavx512bf16"], V4 | {"avx512_bf16"}),
}
"""Options, and what a processor must have, in the words of Linux."""
EMULATED = {
    "x86-64": (CC, ["-march=x86-64"], ["qemu-x86_64", "-cpu", "Nehalem"]),
    "x86-64-v3": (CC, ["-march=x86-64-v3"], ["qemu-x86_64", "-cpu", "Haswell"]),
    "aarch64": (["aarch64-linux-gnu-gcc"], [], ["qemu-aarch64"]),
}
WARNINGS = ("-Wall", "-Wextra", "-Werror")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="options of x86-64")


def capabilities():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()


@pytest.fixture
def use(monkeypatch):
    """Makes everything that requests the kernel use this one."""
    return lambda kernel: monkeypatch.setattr(module, "_loaded", lambda: kernel)


@pytest.fixture
def use_remote(use, monkeypatch):
    """Makes everything that requests the kernel use one that this command runs."""
    started = []
    monkeypatch.setattr(emulation._Function, "storages", emulation.Storages(monkeypatch), False)

    def begin(command):
        started.append(emulation.RemoteLibrary(command))
        use(started[0])

    yield begin
    for remote in started:
        status, said = remote.close()
        assert status == 0, said


def have(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program}")


@needs_compiler
@on_x86
@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_level_that_this_machine_runs_computes_what_torch_does(level, use, tmp_path):
    options, needed = LEVELS[level]
    made = tmp_path / "lstm.so"
    fast = [] if level == "plain C" else compilation._OPTIONS
    command = [*CC, *fast, *options, "-fPIC", "-shared", module._FOLDER / "lstm.c", "-lm"]
    subprocess.run([*command, "-o", made], check=True)
    if missing := needed - capabilities():
        pytest.skip(f"built, not run: this processor has no {', '.join(sorted(missing))}")
    use(module._declared(CDLL(str(made))))
    assert_agrees_with_torch()


@pytest.mark.slow
@pytest.mark.parametrize("level", EMULATED)
def test_an_emulated_processor_computes_what_torch_does(level, use_remote, tmp_path):
    compiler, options, emulator = EMULATED[level]
    have(compiler[0], emulator[0])
    command = [*compiler, *FAST, *options, "-static"]
    use_remote([*emulator, emulation.build_driver(command, tmp_path / "driver")])
    assert_agrees_with_torch()


@pytest.mark.slow
def test_no_read_or_write_is_out_of_bounds_nor_anything_undefined(use_remote, tmp_path):
    """Every tensor is in separate memory, so that reads past its end are detected."""
    have("gcc")
    command = ["gcc", "-march=native", *FAST, *SANITIZED]
    use_remote([emulation.build_driver(command, tmp_path / "driver")])
    assert_agrees_with_torch()


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang", "aarch64-linux-gnu-gcc"])
def test_the_sources_compile_without_a_warning(compiler, tmp_path):
    have(compiler)
    # It is fine that clang does not vectorise the search for the largest logit.
    accepted = ["-Wno-pass-failed"] if compiler == "clang" else []
    command = [compiler, "-O1", *FAST[1:], *WARNINGS, *accepted]
    emulation.build_driver(command, tmp_path / "driver")


@pytest.mark.slow
def test_what_clang_makes_computes_what_torch_does(use_remote, tmp_path):
    have("clang")
    driver = emulation.build_driver(["clang", *FAST, "-march=native"], tmp_path / "driver")
    use_remote([driver])
    assert_agrees_with_torch()
