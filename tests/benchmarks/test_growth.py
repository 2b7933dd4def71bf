"""Costs as the text grows: the fit, and the repositories that are cut out of a larger one."""

import subprocess

import pytest

from benchmarks.growth import exponent, fitted, make_repository, table
from benchmarks.real_corpora import Used
from flows.options import STAGE_NAMES

SIZES = (1.0, 10.0, 100.0)


def test_a_line_is_found_and_its_exponent_is_one():
    seconds = [3 + 0.5 * size for size in SIZES]
    line = fitted(SIZES, seconds)
    assert (line.start, line.slope) == pytest.approx((3, 0.5))
    assert exponent(SIZES, seconds, line.start) == pytest.approx(1)


def test_a_square_has_the_exponent_two_and_a_constant_none():
    assert exponent(SIZES, [size**2 for size in SIZES], 0) == pytest.approx(2)
    assert exponent(SIZES, [3, 3, 3], 3) is None


def test_every_stage_has_a_row():
    costs = [{stage: Used(seconds=2 + size, memory=9) for stage in STAGE_NAMES} for size in SIZES]
    rows = list(table(SIZES, costs))[2:]
    assert [row.split("|")[1].strip() for row in rows] == list(STAGE_NAMES)
    assert "| 3.0, 9 | 12.0, 9 | 102.0, 9 | 2.0 + 1 MB | 1.00 |" in rows[0]


def test_a_repository_has_the_size_that_was_asked_for(request, tmp_path):
    source = request.getfixturevalue("make_repository")(
        {f"{n}.c": f"int x{n};\n" * 100 for n in range(50)}
    )
    made = make_repository(source, 0.02, tmp_path / "made")
    listing = subprocess.run(
        ["git", "-C", made, "ls-tree", "-r", "-l", "HEAD"], capture_output=True, check=True
    )
    size = sum(int(line.split()[3]) for line in listing.stdout.decode().splitlines())
    assert 20_000 <= size < 21_500
    with pytest.raises(ValueError, match=r"less than 1 MB of C"):
        make_repository(source, 1, tmp_path / "more")
