"""Compilers check code, and hostile code does no harm.

Shell scripts replace compilers that are missing, broken or killed; tests of real ones
are skipped where these are not installed.
"""

import logging
import os
import shutil
from dataclasses import replace

import pytest

from evaluation.languages import LANGUAGES, java, lua
from evaluation.results import Tally
from evaluation.score_files import score_files, sum_up
from evaluation.scoring.compilers import (
    Source,
    accepted,
    compiler_tallies,
    installed_compilers,
    why_no_compiler,
)
from evaluation.syntax.compiler import Limits
from modeling.vocab import FILE_MARK
from tests.processes import is_running, until

COMPILED = [name for name, language in LANGUAGES.items() if language.compiler]
UNIT = {
    "lua": "local function f(a)\n  return a.b\nend\n",
    "java": "  public Missing f(int a) throws Other {\n    return a.b();\n  }\n",
}
BROKEN = {
    "lua": UNIT["lua"].replace("a.b", "a = = b"),
    "java": UNIT["java"].replace("a.b()", "int int"),
}
FILE = {"lua": UNIT["lua"] * 3, "java": f"class B extends C {{\n{UNIT['java'] * 3}}}\n"}
SPOILT = {
    "lua": UNIT["lua"] * 2 + BROKEN["lua"],
    "java": FILE["java"].replace(UNIT["java"] * 2, UNIT["java"] + BROKEN["java"]),
}
UNITS = 3
"""Of a file, in both languages."""


def needs(language):
    programs = LANGUAGES[language].compiler.programs
    if not any(map(shutil.which, programs)):
        pytest.skip(f"none of {', '.join(programs)} is installed")


@pytest.fixture(autouse=True)
def unknown():
    """The installed compilers are looked up again before and after each test."""
    installed_compilers.cache_clear()
    yield
    installed_compilers.cache_clear()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Writes a shell script, lua-fake, that is the only compiler of Lua; gives its folder."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(lua, "COMPILER", replace(lua.COMPILER, programs=("lua-fake",)))

    def write(script):
        (tmp_path / "lua-fake").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "lua-fake").chmod(0o755)
        return tmp_path

    return write


@pytest.mark.parametrize("language", COMPILED)
def test_a_compiler_takes_code_with_unknown_names_and_refuses_wrong_syntax(language):
    needs(language)
    texts = [FILE[language], SPOILT[language]]
    n = UNITS
    assert list(compiler_tallies(language, texts, whole=True)) == [
        {"compiler_parse_rate": Tally(n, n), "file_parse_rate": Tally(1, 1)},
        {"compiler_parse_rate": Tally(n - 1, n), "file_parse_rate": Tally(0, 1)},
    ]


@pytest.mark.parametrize("language", COMPILED)
def test_of_a_sample_only_files_between_marks_are_whole(language):
    needs(language)
    sample = FILE_MARK.join((FILE[language], FILE[language], SPOILT[language], FILE[language]))
    (found,) = compiler_tallies(language, [sample])
    assert found["file_parse_rate"] == Tally(1, 2)
    assert found["compiler_parse_rate"].of - found["compiler_parse_rate"].amount == 1


@pytest.mark.parametrize("language", COMPILED)
def test_odd_texts_are_rejected_and_their_neighbours_are_not(language):
    needs(language)
    odd = [
        "'\ud800'",
        "\x00",
        "(" * 20_000,
        "{" * 20_000,
        "a(" * 9_000,
        "-" * 20_000,
        "[[",
        '"""\n',
    ]
    good, bad = FILE[language], SPOILT[language]
    texts = [part for text in odd for part in (f"class A {{ int a = {text}", good, bad)]
    sources = [Source(kind="file", text=text) for text in texts]
    assert list(accepted(language, sources)) == [False, True, False] * len(odd)


@pytest.mark.parametrize("language", COMPILED)
def test_unknown_names_are_no_error_where_nothing_else_is_wrong(language):
    needs(language)
    assert list(accepted(language, [Source(kind="file", text=FILE[language])] * 3)) == [True] * 3


def test_a_constructor_of_an_unknown_class_is_a_member_but_no_part_of_a_whole_file():
    needs("java")
    text = "class A { B() { } }"
    pair = [Source(kind="unit", text=text), Source(kind="file", text=text)]
    assert list(accepted("java", pair)) == [True, False]


def test_a_source_that_one_of_several_versions_accepts_is_valid(program, monkeypatch):
    folder = program("grep -q missing $2")
    shutil.copy(folder / "lua-fake", folder / "lua-other")
    (folder / "lua-other").write_text("#!/bin/sh\ngrep -q -e missing -e goto $2\n")
    both = ("lua-fake", "lua-other")
    monkeypatch.setattr(lua, "COMPILER", replace(lua.COMPILER, programs=both))
    assert installed_compilers("lua") == both
    sources = [Source(kind="unit", text=text) for text in ("goto", "missing", "neither")]
    assert list(accepted("lua", sources)) == [True, True, False]


@pytest.mark.parametrize("script", ["exit 0", "exit 1", "kill -9 $$"])
def test_a_program_that_cannot_tell_code_from_none_counts_as_missing(program, script, caplog):
    program(script)
    with caplog.at_level(logging.WARNING):
        assert [list(compiler_tallies("lua", ["a", "b"])) for _ in range(3)] == [[{}, {}]] * 3
    assert caplog.messages == [why_no_compiler("lua")]
    assert why_no_compiler("lua") == (
        "No compiler checked the blocks: no working lua-fake was found."
    )


def test_only_a_text_that_spins_is_rejected(program, monkeypatch):
    program('grep -q spin "$2" && while :; do :; done\ngrep -q missing "$2"')
    sources = [Source(kind="unit", text=text) for text in ("missing", "spin missing", "missing")]
    limits = Limits(cpu_seconds=1, wall_seconds=None)
    monkeypatch.setattr(lua, "COMPILER", replace(lua.COMPILER, limits=limits))
    assert list(accepted("lua", sources)) == [True, False, True]


def test_a_program_that_waits_for_ever_is_ended(program, monkeypatch, tmp_path):
    wait = f"echo $$ >>{tmp_path}/pids && exec sleep 10000"
    program(f'grep -q wait "$2" && {wait}\ngrep -q missing "$2"')
    assert installed_compilers("lua") == ("lua-fake",)
    limits = Limits(wall_seconds=3)
    monkeypatch.setattr(lua, "COMPILER", replace(lua.COMPILER, limits=limits))
    assert list(accepted("lua", [Source(kind="unit", text="wait missing")])) == [False]
    (pid,) = map(int, (tmp_path / "pids").read_text().split())
    until(lambda: not is_running(pid))


def test_the_output_of_a_javac_that_crashes_is_ignored(program, monkeypatch):
    program(
        'for f in "$@"; do case "$f" in *.java)\n'
        'grep -q break "$f" && exit 4\n'
        'grep -q = "$f" && echo "$f:1:1: compiler.err.x" >&2 && error=1;;\n'
        "esac done; exit ${error:-0}"
    )
    monkeypatch.setattr(java, "COMPILER", replace(java.COMPILER, programs=("lua-fake",)))
    sources = [Source(kind="file", text=text) for text in ("=", "a", "break", "a", "=")]
    assert list(accepted("java", sources)) == [False, True, False, True, False]


def test_a_source_that_kills_the_compiler_is_found_by_halving(monkeypatch):
    batches = []

    def rejected(programs, folder, names, limits):
        batches.append(len(names))
        texts = {name: (folder / name).read_text() for name in names}
        return None if "kill" in texts.values() else {n for n in names if texts[n] == "bad"}

    fake = replace(lua.COMPILER, rejected=rejected, good="good", bad="bad", programs=("sh",))
    monkeypatch.setattr(lua, "COMPILER", fake)
    words = ["good", "bad", "good", "kill", "good", "bad", "good", "good"]
    sources = [Source(kind="unit", text=word) for word in words]
    assert list(accepted("lua", sources)) == [word == "good" for word in words]
    assert max(batches) == 8


def test_many_sources_are_checked_in_batches_and_keep_their_order(monkeypatch):
    monkeypatch.setattr(
        lua,
        "COMPILER",
        replace(
            lua.COMPILER,
            programs=("sh",),
            rejected=lambda _programs, folder, names, _limits: {
                name for name in names if "missing" not in (folder / name).read_text()
            },
        ),
    )
    words = ["missing" if number % 3 else "b" for number in range(11)]
    sources = [Source(kind="unit", text=word) for word in words]
    assert list(accepted("lua", sources, batch=3)) == [word == "missing" for word in words]


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name not in COMPILED])
def test_other_languages_have_no_tallies_and_no_warning(language, caplog):
    assert list(compiler_tallies(language, ["a"])) == [{}]
    assert why_no_compiler(language) is None
    assert not caplog.messages


def test_files_of_a_folder_are_checked_in_batches(tmp_path):
    needs("lua")
    texts = [FILE["lua"], SPOILT["lua"], FILE["lua"], "\0" * 9, SPOILT["lua"]]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.lua").write_text(text)
    files = list(score_files(sorted(tmp_path.iterdir()), "lua", batch_characters=200))
    assert [file.to_dict()["parses"] for file in files] == [True, False, True, None, False]
    assert sum_up(files, "lua").metrics["compiler_parse_rate"].n == 12
