"""Whole files, as `charmill score` reports them."""

import pytest

from evaluation.score_files import find_files, score_files, sum_up

FUNCTION = "int f(void)\n{\n    return 1;\n}\n"


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.c").write_text(FUNCTION)
    (tmp_path / "3.c").write_bytes(b"\0\xff\xfe" * 50)
    return tmp_path


def scored(folder, **settings):
    files = list(score_files(find_files(folder, "c"), "c", **settings))
    assert [file.path for file in files] == sorted(str(path) for path in folder.iterdir())
    return sum_up(files, "c")


def test_every_file_of_a_small_folder_is_parsed(folder):
    found = scored(folder)
    assert found.outcomes == {"ok": 5, "timeout": 0, "crash": 0, "unreadable": 1}
    assert found.metrics["unit_parse_rate"].n == found.metrics["block_balance_rate"].n == 5


def test_of_a_large_folder_some_files_are_parsed_and_all_are_read(folder):
    size = sum(path.stat().st_size for path in folder.iterdir())
    found = scored(folder, parsed_bytes=size // 2)
    assert found.metrics["unit_parse_rate"].n == 3
    assert found.metrics["block_balance_rate"].n == 5
