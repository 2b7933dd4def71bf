"""Corpora of a handful of files: every split gets a document."""

import pytest

from corpora.build.corpus import build_corpus
from corpora.corpus.parquet import read_documents, read_split
from corpora.corpus.summary import CorpusSummary
from corpora.dedup.split import moves, split_of
from corpora.document import SPLITS, Split
from corpora.errors import CorpusError
from corpora.spec import CorpusSpec, SplitSpec
from tests.corpora.build.test_corpus import FakeSnapshot, built, ledger, plain

SMALL = {"validation": 0.05, "test": 0.05}
LINES = [[f"w{i}x{j}" for j in range(60)] for i in range(60)]
BOOK = "\n\n".join(f"Paragraph {i}\n" + "\n".join(words) for i, words in enumerate(LINES))


def documents(directory):
    return {split: list(read_documents(directory, split)) for split in SPLITS}


def sizes(directory):
    return {split: len(found) for split, found in documents(directory).items()}


@pytest.mark.parametrize("number", [3, 4, 5, 8, 13, 20, 50, 100])
def test_three_files_or_more_give_every_split_a_document(tmp_path, number):
    found = sizes(built(tmp_path, plain(number), split=SMALL))
    assert min(found.values()) >= 1
    assert sum(found.values()) == number
    assert found["train"] >= number * 0.8 or number < 10


def test_the_ledger_says_which_file_was_moved_and_agrees_with_the_documents(tmp_path):
    directory = built(tmp_path, plain(12), split={"validation": 1e-9, "test": 1e-9})
    rows = ledger(directory)
    moved = {row["split"]: path for path, row in rows.items() if row["detail"]}
    assert set(moved) == {"validation", "test"}
    assert rows[moved["test"]]["detail"] == "moved to test, which would be empty"
    for split, found in documents(directory).items():
        assert {d.path for d in found} == {p for p, row in rows.items() if row["split"] == split}


def test_no_file_is_moved_where_every_split_has_one():
    spec = SplitSpec()
    splits = {str(n): split_of(str(n), spec) for n in range(200)}
    assert set(splits.values()) == set(SPLITS)
    assert moves(splits, spec, ()) == {}


def test_an_empty_training_split_gets_the_file_next_to_its_border(tmp_path):
    spec = SplitSpec(validation=0.4, test=0.4)
    splits = dict.fromkeys("abcdefgh", "test") | {"z": "validation"}
    (moved,) = moves(splits, spec, ()).items()
    assert moved[1] == "train"
    assert moves(splits, spec, "abcdefgh") == {}


def test_a_further_file_moves_a_held_out_one_only_if_its_own_hash_is_closer():
    spec = SplitSpec(validation=1e-9, test=1e-9)
    before = moves({str(n): "train" for n in range(20)}, spec, ())
    kept = sum(
        moves({str(n): "train" for n in [*range(20), new]}, spec, ()) == before
        for new in range(100, 200)
    )
    assert kept > 75


def test_near_copies_move_together_and_none_leaks(tmp_path):
    files = {
        f"{i}{twin}.py": "\n".join([*LINES[i], twin]).encode() for i in range(4) for twin in "ab"
    }
    directory = built(tmp_path, files, split={"validation": 1e-9, "test": 1e-9})
    assert sizes(directory) == {"train": 4, "validation": 2, "test": 2}
    assert CorpusSummary.load(directory).leak_after.files == 0
    rows = ledger(directory)
    assert all(rows[f"{i}a.py"]["split"] == rows[f"{i}b.py"]["split"] for i in range(4))


@pytest.mark.parametrize("files", [{"book.py": BOOK}, {"one.py": BOOK, "two.py": BOOK.upper()}])
def test_one_or_two_texts_are_cut_into_three_parts_each(tmp_path, files):
    directory = built(tmp_path, {p: t.encode() for p, t in files.items()}, split=SMALL)
    found = documents(directory)
    for path, text in files.items():
        parts = [d.text for s in SPLITS for d in found[s] if d.path == f"{path}#{s}"]
        assert "".join(parts) == text
        assert [len(part) / len(text) for part in parts] == pytest.approx(
            [0.9, 0.05, 0.05], abs=0.03
        )
        assert all(part.endswith("\n\n") for part in parts[:2])
    assert sizes(directory) == dict.fromkeys(SPLITS, len(files))
    assert {row["detail"] for row in ledger(directory).values()} == {
        "cut into parts: too few texts for three splits"
    }


@pytest.mark.parametrize(("joint", "border"), [("\n", "\n"), (" ", " "), ("_", "")])
def test_a_text_without_paragraphs_is_cut_at_a_line_a_word_or_anywhere(tmp_path, joint, border):
    text = joint.join(str(n) for n in range(150, 800))
    directory = built(
        tmp_path,
        {"a.py": text.encode()},
        text={"min_letters": 0, "max_line": 0, "max_mean_line": 0},
    )
    parts = [d.text for found in documents(directory).values() for d in found]
    assert "".join(parts) == text
    assert all(part.endswith(border) for part in parts[:2])


def test_three_near_copies_are_one_text(tmp_path):
    files = {f"{n}.py": f"{BOOK} {n}".encode() for n in range(3)}
    assert sizes(built(tmp_path, files)) == dict.fromkeys(SPLITS, 1)


def test_a_book_of_few_parts_gives_every_split_one(tmp_path):
    directory = built(tmp_path, {"b.py": BOOK.encode()}, split=SMALL, part_characters=5_000)
    found = documents(directory)
    assert min(len(one) for one in found.values()) == 1
    in_order = sorted((d for one in found.values() for d in one), key=lambda d: d.path)
    assert "".join(d.text for d in in_order) == BOOK


def test_a_text_of_one_part_is_cut_by_the_shares(tmp_path):
    directory = built(tmp_path, {"b.py": BOOK.encode()}, part_characters=100_000)
    assert sizes(directory) == dict.fromkeys(SPLITS, 1)


def test_a_frozen_file_is_never_moved_nor_cut(tmp_path):
    files = plain(3)
    frozen: dict[str, Split] = dict.fromkeys(list(read_split(built(tmp_path, files)))[:2], "train")
    with pytest.raises(CorpusError, match="no document in"):
        built_with(tmp_path / "three", files, frozen)
    found = read_split(built_with(tmp_path / "five", plain(5), frozen))
    assert {found[digest] for digest in frozen} == {"train"}
    assert set(found.values()) == set(SPLITS)


def built_with(directory, files, frozen):
    directory.mkdir()
    spec = CorpusSpec(extensions=(".py",))
    list(build_corpus(FakeSnapshot(files), spec, directory, frozen=frozen))
    return directory
