import ctypes
import logging
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modeling.models import build_model
from modeling.models.lstm import LSTMStepper
from modeling.native import library as module
from modeling.native.library import library
from tests.modeling.compiler import needs_compiler

HASTE = ("-O0",)
"""Without optimisation a compiler takes one second in place of seven."""


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """As in a process that has not loaded the kernel, of a user with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_OPTIONS", module._OPTIONS + HASTE)
    module._loaded.cache_clear()
    yield tmp_path / "cache" / "charmill"
    module._loaded.cache_clear()


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the sources, to be edited."""
    copy = tmp_path / "sources"
    shutil.copytree(module._FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_FOLDER", copy)
    return copy


def assert_torch_computes(caplog, reason, config, vocabulary):
    with caplog.at_level(logging.DEBUG, logger="modeling.native.library"):
        assert library() is None
        assert library() is None
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.DEBUG
    assert reason in caplog.text
    assert isinstance(build_model(config.model, vocabulary.size).stepper(1), LSTMStepper)


@needs_compiler
def test_the_kernel_is_compiled_once_and_nothing_else_is_left(fresh):
    assert library() is not None
    (path,) = fresh.iterdir()
    written = path.stat().st_mtime_ns
    module._loaded.cache_clear()
    assert library() is not None
    assert [p.stat().st_mtime_ns for p in fresh.iterdir()] == [written]


@needs_compiler
def test_an_edited_source_is_compiled_anew(fresh, sources):
    assert library() is not None
    with (sources / "pointwise.h").open("a") as file:
        file.write("\nint64_t answer(void) { return 42; }\n")
    assert not hasattr(library(), "answer")
    module._loaded.cache_clear()
    assert library()["answer"]() == 42
    assert len(list(fresh.iterdir())) == 2


@needs_compiler
def test_other_options_of_the_compiler_make_another_library(fresh, monkeypatch):
    assert library() is not None
    monkeypatch.setenv("CC", f"{os.environ.get('CC', 'cc')} -fno-unroll-loops")
    module._loaded.cache_clear()
    assert library() is not None
    assert len(list(fresh.iterdir())) == 2


@needs_compiler
def test_processes_that_begin_together_share_one_library(fresh):
    code = (
        "from modeling.native import library as module; module._OPTIONS += ('-O0',);"
        "raise SystemExit(module.library() is None)"
    )
    root = Path(__file__).parents[2]
    ends = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(2)]
    assert [end.wait() for end in ends] == [0, 0]
    assert len(list(fresh.iterdir())) == 1


def test_without_a_compiler_torch_computes(fresh, monkeypatch, caplog, config, vocabulary):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert_torch_computes(caplog, "no-such-compiler", config, vocabulary)


@needs_compiler
def test_a_source_that_does_not_compile_leaves_the_work_to_torch(
    fresh, sources, caplog, config, vocabulary
):
    (sources / "pointwise.h").write_text("#error not today\n")
    assert_torch_computes(caplog, "not today", config, vocabulary)
    assert list(fresh.iterdir()) == []


@needs_compiler
def test_a_cache_that_cannot_be_written_leaves_the_work_to_torch(fresh, caplog, config, vocabulary):
    fresh.parent.write_text("a file where the folder should be")
    assert_torch_computes(caplog, str(fresh.parent), config, vocabulary)


@needs_compiler
def test_a_damaged_library_leaves_the_work_to_torch(fresh, caplog, config, vocabulary):
    path = module._built()
    path.write_bytes(b"torn")
    assert_torch_computes(caplog, path.name, config, vocabulary)


@needs_compiler
def test_the_user_can_switch_the_kernel_off(monkeypatch):
    assert library() is not None
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    assert library() is None


@needs_compiler
def test_the_declarations_in_python_are_those_in_c(tmp_path):
    program = tmp_path / "sizes.c"
    program.write_text(
        f'#include "{module._FOLDER / "lstm.c"}"\n'
        "int64_t sizes(int i) { return i ? sizeof(Chunk) : sizeof(Network); }\n"
    )
    made = tmp_path / "sizes.so"
    command = [*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", program, "-o", made]
    subprocess.run([*command, "-lm"], check=True)
    sizes = ctypes.CDLL(str(made)).sizes
    assert [sizes(0), sizes(1)] == [ctypes.sizeof(module.Network), ctypes.sizeof(module.Chunk)]
