"""The kernel's library: compiled once, kept, and loaded only from the user's own cache."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from modeling.native import compilation
from modeling.native import library as module
from modeling.native.library import library
from tests.modeling.native.compiler import (
    assert_torch_computes,
    libraries,
    needs_compiler,
    warnings,
)


@needs_compiler
def test_the_kernel_is_compiled_once_and_nothing_else_is_left(fresh):
    assert library() is not None
    (path,) = libraries(fresh)
    assert {entry.name for entry in fresh.iterdir()} == {path.name, "lock"}
    written = path.stat().st_mtime_ns
    module._loaded.cache_clear()
    assert library() is not None
    assert [p.stat().st_mtime_ns for p in libraries(fresh)] == [written]


@needs_compiler
def test_an_edited_source_is_compiled_anew(fresh, sources):
    assert library() is not None
    with (sources / "pointwise.h").open("a") as file:
        file.write("\nint64_t answer(void) { return 42; }\n")
    assert not hasattr(library(), "answer")
    module._loaded.cache_clear()
    assert library()["answer"]() == 42
    assert len(libraries(fresh)) == 2


@needs_compiler
def test_other_options_of_the_compiler_make_another_library(fresh, monkeypatch):
    assert library() is not None
    monkeypatch.setenv("CC", f"{os.environ.get('CC', 'cc')} -fno-unroll-loops")
    module._loaded.cache_clear()
    assert library() is not None
    assert len(libraries(fresh)) == 2


@needs_compiler
def test_a_library_that_was_not_loaded_for_90_days_goes_when_another_is_compiled(fresh, sources):
    assert library() is not None
    (first,) = libraries(fresh)
    written = first.stat().st_mtime
    os.utime(first, (written - 91 * 86_400, written - 100 * 86_400))
    module._loaded.cache_clear()
    assert library() is not None, "loading it counts as using it"
    for unused, left in ((89, 2), (91, 2)):
        os.utime(first, (written - unused * 86_400, written - 100 * 86_400))
        with (sources / "pointwise.h").open("a") as file:
            file.write(f"\nint64_t answer{unused}(void) {{ return 42; }}\n")
        module._loaded.cache_clear()
        assert library() is not None
        assert len(libraries(fresh)) == left
    assert first not in libraries(fresh)


@needs_compiler
def test_processes_that_begin_together_compile_once(fresh, compiler, tmp_path):
    compiler(f'case "$*" in *-shared*) echo >> {tmp_path}/compiled; esac; exec $REAL "$@"')
    code = "from modeling.native.library import library; raise SystemExit(library() is None)"
    root = Path(__file__).parents[3]
    ends = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(3)]
    assert [end.wait() for end in ends] == [0, 0, 0]
    assert len(libraries(fresh)) == 1
    assert (tmp_path / "compiled").read_text() == "\n"


@needs_compiler
@pytest.mark.parametrize("error", [OSError(38, "no flock"), NotImplementedError()], ids=repr)
def test_where_files_cannot_be_locked_the_kernel_is_compiled_all_the_same(
    fresh, monkeypatch, error
):
    def refuse(self, timeout):
        raise error

    monkeypatch.setattr(compilation.FileLock, "acquire", refuse)
    assert library() is not None


@needs_compiler
def test_a_cache_that_is_a_file_leaves_the_work_to_torch(fresh, caplog, config, vocabulary):
    fresh.parent.write_text("a file where the folder should be")
    assert_torch_computes(caplog, str(fresh.parent), config, vocabulary)


@needs_compiler
def test_a_cache_that_cannot_be_written_leaves_the_work_to_torch(
    fresh, monkeypatch, caplog, config, vocabulary
):
    def refuse(*_args, **_kwargs):
        raise OSError(30, "Read-only file system", str(fresh))

    monkeypatch.setattr(compilation.tempfile, "TemporaryDirectory", refuse)
    assert_torch_computes(caplog, "Read-only file system", config, vocabulary)


@needs_compiler
def test_a_cache_from_which_nothing_may_be_executed_leaves_the_work_to_torch(
    fresh, monkeypatch, caplog, config, vocabulary
):
    """As on a disk mounted with noexec; nothing is compiled."""
    flags = SimpleNamespace(f_flag=os.ST_NOEXEC)
    monkeypatch.setattr(compilation.os, "statvfs", lambda _path: flags)
    assert_torch_computes(caplog, f"nothing in {fresh} can be executed", config, vocabulary)
    assert list(fresh.iterdir()) == []


@needs_compiler
def test_a_library_that_is_there_already_is_taken_from_a_cache_that_cannot_be_written(
    fresh, monkeypatch
):
    assert library() is not None
    (fresh / "lock").unlink()
    fresh.chmod(0o500)
    module._loaded.cache_clear()
    assert library() is not None
    assert not (fresh / "lock").exists()
    fresh.chmod(0o700)


@needs_compiler
def test_a_home_that_nobody_knows_leaves_the_work_to_torch(
    fresh, monkeypatch, caplog, config, vocabulary
):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(compilation.Path, "home", unknown)
    assert_torch_computes(caplog, "Could not determine home directory", config, vocabulary)


def test_a_relative_cache_is_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compilation.cache_folder() == tmp_path / ".cache" / "charmill"


@needs_compiler
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o1777])
def test_nothing_is_loaded_from_a_folder_to_which_others_may_write(
    fresh, caplog, config, vocabulary, mode
):
    assert library() is not None
    module._loaded.cache_clear()
    fresh.chmod(mode)
    assert_torch_computes(caplog, f"others can write to {fresh}", config, vocabulary)


@needs_compiler
def test_a_library_to_which_others_may_write_is_not_loaded(fresh, caplog, config, vocabulary):
    assert library() is not None
    module._loaded.cache_clear()
    (path,) = libraries(fresh)
    path.chmod(0o666)
    assert_torch_computes(caplog, f"others can write to {path}", config, vocabulary)


@needs_compiler
def test_nothing_is_loaded_from_another_users_folder(
    fresh, monkeypatch, caplog, config, vocabulary
):
    assert library() is not None
    module._loaded.cache_clear()
    monkeypatch.setattr(compilation.os, "geteuid", lambda: fresh.stat().st_uid + 1)
    if fresh.stat().st_uid:
        assert_torch_computes(caplog, f"{fresh} belongs to another user", config, vocabulary)
    else:
        assert library() is not None, "what root made may be taken by all"


@needs_compiler
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_root_loads_nothing_from_a_users_folder(fresh, caplog, config, vocabulary):
    assert library() is not None
    module._loaded.cache_clear()
    os.chown(fresh, 12345, 12345)
    assert_torch_computes(caplog, f"{fresh} belongs to another user", config, vocabulary)


@needs_compiler
@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_a_damaged_library_is_named_and_compiled_again(fresh, caplog, damage):
    assert library() is not None
    (path,) = libraries(fresh)
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "truncated": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "emptied": b"",
    }[damage]
    replaced = path.with_suffix(".new")
    replaced.write_bytes(damaged)
    replaced.replace(path)
    module._loaded.cache_clear()
    assert warnings(caplog) == [f"{path} is damaged; it is compiled again"]
    assert library() is not None
    assert [made.read_bytes() == damaged for made in libraries(fresh)] == [False]


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
    subprocess.run(["cc", "-shared", "-fPIC", program, "-o", made, "-lm"], check=True)
    sizes = ctypes.CDLL(str(made)).sizes
    assert [sizes(0), sizes(1)] == [ctypes.sizeof(module.Network), ctypes.sizeof(module.Chunk)]


@needs_compiler
def test_a_structure_that_differs_from_its_python_declaration_is_not_used(fresh, sources):
    header = sources / "structures.h"
    text = header.read_text()
    assert "*gain, *shift;" in text
    header.write_text(text.replace("*gain, *shift;", "*shift, *gain;"))
    with pytest.raises(RuntimeError, match=r"structures\.h and library\.py differ"):
        library()
