import pytest

from corpora.sources.git.progress import FetchProgress


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("remote: Counting objects:  50% (1/2)", "x: counting, 1 objects"),
        ("remote: Compressing objects: 100% (20/20), done.", "x: compressing, 20 objects"),
        (
            "Receiving objects:  12% (9/75), 1.20 MiB | 310.00 KiB/s",
            "x: receiving, 1.20 MiB | 310.00 KiB/s, 9 objects",
        ),
        ("Resolving deltas: 100% (3/3), done.", "x: resolving deltas, 3 objects"),
        ("remote: Receiving objects:  1% (1/2), \x1b[2Jgone", "x: receiving, 1 objects"),
    ],
)
def test_a_line_of_git_becomes_progress_with_its_phase(line, shown):
    assert [step.text for step in FetchProgress("x").parse(line)] == [shown]


@pytest.mark.parametrize(
    "line",
    [
        "fatal: repository not found",
        "remote: Enumerating objects: 5, done.",
        "remote: Total 3 (delta 0), reused 0",
        f"remote: Counting objects:  1% (1/{'9' * 400})",
        "CompreReceiving objects:  1% (1/2)",
        "remote: Selecting bitmaps:  1% (1/2)",
        "",
    ],
)
def test_any_other_line_is_no_progress(line):
    assert FetchProgress("x").parse(line) == []


def test_the_share_is_known():
    [step] = FetchProgress("x").parse("Receiving objects:  25% (1/4)")
    assert step.fraction == 0.25
