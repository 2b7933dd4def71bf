"""Compilers that are missing, broken or unusual: torch computes, and one line says why."""

import logging
import os
import platform

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


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("no-such-compiler", "CC='no-such-compiler': 'no-such-compiler' is no program"),
        ("/no/such/gcc -O1", "CC='/no/such/gcc -O1': '/no/such/gcc' is no program"),
        ('"gcc', """CC='"gcc' is not a command: No closing quotation"""),
        ("gcc -O1 '", "is not a command: No closing quotation"),
        ("gcc\\", "is not a command: No escaped character"),
        ('"" -O1', "'' is no program"),
        ("/", "CC='/': '/' is no program"),
        (__file__, "is no program that can be executed"),
        ("\udcff", "is no program"),
        ("false", "false: exit status 1"),
        ("true", "does not compile for this processor"),
    ],
)
def test_without_a_compiler_torch_computes(
    fresh, monkeypatch, caplog, config, vocabulary, given, reason
):
    monkeypatch.setenv("CC", given)
    assert_torch_computes(caplog, reason, config, vocabulary)
    assert libraries(fresh) == []


def test_without_any_compiler_on_the_path_torch_computes(
    fresh, monkeypatch, caplog, config, vocabulary
):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(fresh))
    assert_torch_computes(caplog, "no C compiler (cc, gcc, clang)", config, vocabulary)


COMPILES = 'case "$*" in *-shared*) %s;; *) exec $REAL "$@"; esac'
LAST = "for made; do :; done"


@needs_compiler
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -SEGV $$", "Segmentation fault"),
        (
            "printf '\\033[31mfatal error: \\377\\007 no\\n' >&2; exit 1",
            "?[31mfatal error: \ufffd? no",
        ),
        ("printf '\\377\\376 no macro'", "does not compile for this processor"),
        ('exec $REAL -m32 "$@"', "does not compile for this processor"),
        (COMPILES % "true", "wrote no library"),
        (COMPILES % f'{LAST}; : > "$made"', "file too short"),
        (COMPILES % f'{LAST}; $REAL "$@" && truncate -s 9000 "$made"', "the library of "),
        (
            COMPILES % "echo 'ld: final link failed: No space left on device' >&2; exit 1",
            "No space",
        ),
    ],
)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="-m32 is an option for x86-64")
def test_with_a_broken_compiler_torch_computes(
    fresh, compiler, caplog, config, vocabulary, script, reason
):
    compiler(script)
    assert_torch_computes(caplog, reason, config, vocabulary)
    assert libraries(fresh) == []


def test_a_compiler_that_hangs_is_given_up(
    fresh, compiler, monkeypatch, caplog, config, vocabulary
):
    monkeypatch.setattr(compilation, "_SECONDS", 1)
    compiler("exec sleep 100")
    assert_torch_computes(caplog, "did not finish within 1 s", config, vocabulary)


@needs_compiler
@pytest.mark.parametrize("prefix", ["env", "env A='b c'", " "])
def test_the_compiler_may_be_called_through_another_program(fresh, monkeypatch, prefix):
    monkeypatch.setenv("CC", f"{prefix} {os.environ.get('CC', 'cc')} -O1")
    assert library() is not None


@needs_compiler
@pytest.mark.parametrize("given", ["", "  "])
def test_an_empty_name_of_the_compiler_is_none(fresh, monkeypatch, given):
    monkeypatch.setenv("CC", given)
    assert library() is not None


@needs_compiler
@pytest.mark.parametrize(
    "script",
    [
        'case "$*" in *=native*) echo "error: bad value (native)" >&2; exit 1; esac',
        'case "$*" in *=native*-shared*) echo "Error: no such instruction" >&2; exit 1; esac',
        f'case "$*" in *=native*-shared*) {LAST}; echo junk > "$made"; exit 0; esac',
    ],
    ids=["compiler", "assembler", "library"],
)
def test_a_compiler_that_cannot_serve_this_processor_serves_one_with_less(
    fresh, compiler, caplog, script
):
    compiler(f'{script}; exec $REAL "$@"')
    with caplog.at_level(logging.INFO, logger=compilation.__name__):
        assert library() is not None
    assert "not optimal for this processor" in caplog.text
    assert len(libraries(fresh)) == 1


@needs_compiler
def test_another_processor_with_the_same_home_gets_a_separate_library(fresh, compiler):
    """Like -march=native on another processor: other macros from the same command."""
    compiler('[ -n "$OTHER" ] && set -- "$@" -DOTHER_PROCESSOR; exec $REAL "$@"')
    assert library() is not None
    os.environ["OTHER"] = "1"
    module._loaded.cache_clear()
    try:
        assert library() is not None
    finally:
        del os.environ["OTHER"]
    assert len(libraries(fresh)) == 2


@needs_compiler
def test_a_source_that_does_not_compile_leaves_the_work_to_torch(
    fresh, sources, caplog, config, vocabulary
):
    (sources / "pointwise.h").write_text("#error not today\n")
    assert_torch_computes(caplog, "not today", config, vocabulary)
    assert libraries(fresh) == []


def test_of_processes_that_train_together_the_first_one_speaks(fresh, monkeypatch, caplog):
    monkeypatch.setenv("CC", "no-such-compiler")
    for rank, lines in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        module._loaded.cache_clear()
        assert len(warnings(caplog)) == lines


def test_switching_the_kernel_off_logs_nothing(fresh, monkeypatch, caplog):
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    assert warnings(caplog) == []
    assert not fresh.exists()
