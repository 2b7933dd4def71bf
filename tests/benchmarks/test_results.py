"""The pages of the gallery, and what is scored for them."""

import random
import subprocess
from dataclasses import replace

import pytest

from benchmarks.published_samples import RULE
from benchmarks.results.page import extract, table_row, with_summary, write_gallery
from benchmarks.results.published import figures, pieces, published_text
from benchmarks.results.row import Row
from benchmarks.results.stand_ins import WORDS, _comment
from evaluation.metrics.catalogue import value_text

ROW = Row(
    dataset="torch",
    title="Torch7",
    description="Lua.",
    language="lua",
    verdict="It needs fewer bits.",
    corpus_characters=1_500_000,
    trained_characters=12_345_678,
    training="5 min 0 s",
    bits={"LSTM": 1.5, "best n-gram": 1.75, "PPMd 16": 1.4},
    headline="block_balance_rate",
    shares={"floor": 0.1, "model": 0.4, "control": 0.99},
    texts={"floor": "10.0 %", "model": "40.0 %", "control": "99.0 %"},
    temperature=0.8,
    sample="local x = 1\n```\n\x1b[31m````\n",
    threats=["few held-out files"],
)


def test_a_row_leaves_empty_what_was_not_measured():
    cells = [cell.strip() for cell in table_row(ROW).strip("|").split("|")]
    assert cells[:7] == [
        *("[torch](results/torch.md)", "1.50", "12.3", "1.500", "1.750", "1.400", ""),
    ]
    assert cells[8:] == ["10.0\u00a0%", "40.0\u00a0%", "99.0\u00a0%", ""]


def test_a_sample_cannot_end_its_fence_and_has_no_control_characters():
    lines = extract(ROW, "").splitlines()
    first, last = (n for n, line in enumerate(lines) if line == "`" * 5)
    assert lines[first + 1 : last] == ["local x = 1", "```", "\u27e8U+001B\u27e9[31m````", ""]


def test_the_gallery_is_a_table_a_chart_and_a_page_a_dataset(tmp_path):
    prose = replace(ROW, dataset="austen", headline=None, shares={}, texts={})
    write_gallery([prose, ROW], tmp_path, "# Results\n", {"torch": "a copy"})
    page = (tmp_path / "results.md").read_text()
    assert "- `torch`: a copy" in page
    assert page.index("[austen]") < page.index("[torch]")
    assert (tmp_path / "results" / "results.png").read_bytes().startswith(b"\x89PNG")
    assert "Source: a copy." in (tmp_path / "results" / "torch.md").read_text()
    assert "Source" not in (tmp_path / "results" / "austen.md").read_text()


def test_the_readme_gets_a_short_table_between_its_marks_and_keeps_the_rest():
    readme = "before\n<!-- results -->\nold\n<!-- /results -->\nafter\n"
    once = with_summary(readme, [ROW])
    assert once.startswith("before\n<!-- results -->\n| it read |")
    assert "| [torch](docs/results/torch.md) | 1.50 | 1.75 |" in once
    assert once.endswith("| 10.0\u00a0% | 40.0\u00a0% | 99.0\u00a0% |\n<!-- /results -->\nafter\n")
    assert with_summary(once, [ROW]) == once
    assert with_summary("no marks\n", [ROW]) == "no marks\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abcdefg", ["abc", "def"]), ("ab", ["ab"]), ("abcdefghijkl", ["abc", "def"])],
)
def test_a_published_text_is_cut_into_pieces_as_long_as_our_samples(text, expected):
    assert pieces(text, 3, 2) == expected


def test_pieces_are_scored_as_texts_that_begin_and_end_anywhere():
    whole = "def f():\n    return 1\n\n\ndef g():\n    return (2\n\n\ndef h():\n    return 3\n"
    found = figures("python", [f"    return 0\n\n\n{whole}\n\ndef i"] * 3)
    assert value_text("function_parse_rate", found["function_parse_rate"]) == "6 of 9"


def test_the_sample_of_the_post_is_found_in_its_repository(tmp_path):
    repository = tmp_path / "nadbordrozd+neural_playground"
    (repository / "output").mkdir(parents=True)
    log = f"generating with seed: \nfoo\n{RULE}\nfoobar"
    (repository / "output" / "sklearn.py").write_text(log)
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    repository.rename(tmp_path / "work")
    repository.symlink_to(tmp_path / "work" / ".git")
    assert published_text("scikit-learn", tmp_path) == "bar"
    assert published_text("torch", tmp_path) is None
    assert published_text("numpy", tmp_path) is None


def test_every_word_of_an_invented_comment_is_known():
    chance = random.Random(3)
    comments = [_comment(chance) for _ in range(200)]
    assert not any("{" in comment for comment in comments)
    assert len(set(comments)) > 150
    assert {"sentence", "who"} < WORDS.keys()
