"""Copies and near-copies: none across the split, whatever the number of workers and shards."""

import random

from corpora.build.compare import ReadableTexts
from corpora.build.corpus import BuildSizes, build_corpus
from corpora.corpus.parquet import read_documents, read_split
from corpora.corpus.summary import CorpusSummary
from corpora.dedup.characters import SIDES
from corpora.spec import CorpusSpec, SplitSpec
from tests.corpora.build.test_corpus import SPEC, FakeSnapshot, built, ledger, plain


def near_copies(number=40):
    """Texts of 60 words, and for each a copy with one word replaced."""
    files = {}
    chance = random.Random(7)
    for i in range(number):
        words = [f"{chance.randrange(10**6)}x{i}" for _ in range(60)]
        files[f"a{i}.py"] = "\n".join(words).encode()
        files[f"b{i}.py"] = "\n".join([*words[:-1], "other"]).encode()
    return files


def test_of_near_copies_only_the_most_held_out_stay(tmp_path):
    directory = built(tmp_path, near_copies())
    rows = ledger(directory)
    alone = ledger(built(tmp_path, near_copies(), "alone", near_duplicates="ignore"))
    seen = set()
    for i in range(40):
        falls = {name: alone[name]["split"] for name in (f"a{i}.py", f"b{i}.py")}
        right = min(falls.values(), key=SIDES.index)
        seen.add(tuple(falls.values()))
        assert all(
            rows[n]["split"] == (side if side == right else None) for n, side in falls.items()
        )
        if falls[f"a{i}.py"] == falls[f"b{i}.py"]:
            assert rows[f"b{i}.py"]["cluster"] == f"s/a{i}.py"
    assert seen >= {("train", "train"), ("train", "test"), ("test", "train")}
    summary = CorpusSummary.load(directory)
    assert summary.leak_before.files > 5
    assert summary.leak_before.characters > 5 * 200
    assert (summary.leak_after.files, summary.leak_after.characters) == (0, 0)


def test_a_near_copy_that_is_left_out_says_why(tmp_path):
    rows = ledger(built(tmp_path, near_copies()))
    [left_out] = [row for path, row in rows.items() if row["reason"]][:1]
    kept = rows[left_out["duplicate_of"].removeprefix("s/")]
    assert left_out["reason"] == "near-duplicate"
    assert left_out["detail"] == f"would stand in train, that in {kept['split']}"


def test_near_copies_can_be_dropped_or_left_alone(tmp_path):
    dropped = ledger(built(tmp_path, near_copies(), "dropped", near_duplicates="drop"))
    assert {dropped[f"b{i}.py"]["reason"] for i in range(40)} == {"near-duplicate"}
    assert dropped["b7.py"]["duplicate_of"] == "s/a7.py"
    directory = built(tmp_path, near_copies(), "ignored", near_duplicates="ignore")
    ignored = ledger(directory)
    assert any(ignored[f"a{i}.py"]["split"] != ignored[f"b{i}.py"]["split"] for i in range(40))


def test_no_copy_and_no_near_copy_stands_in_both_train_and_test(tmp_path):
    files = near_copies() | {f"copy{i}.py": near_copies()[f"a{i}.py"] for i in range(40)}
    directory = built(tmp_path, files)
    texts = {split: list(read_documents(directory, split)) for split in ("train", "test")}
    first_words = {split: {d.text.split()[0] for d in found} for split, found in texts.items()}
    assert not first_words["train"] & first_words["test"]


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    sizes = BuildSizes(batch_bytes=500, shard_bytes=900)
    snapshot = FakeSnapshot(plain(90) | near_copies(10) | {"bad.py": b"\0", "big.py": b"x" * 5000})
    spec = CorpusSpec.model_validate(SPEC | {"max_bytes": 4000})
    for workers in (1, 2):
        directory = tmp_path / str(workers)
        directory.mkdir()
        list(build_corpus(snapshot, spec, directory, workers=workers, sizes=sizes))
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len([name for name in names if name.startswith("documents-")]) > 3
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_near_copies_are_compared_in_groups_that_give_the_same_clusters(tmp_path, monkeypatch):
    read = []
    whole = ledger(built(tmp_path, near_copies(), "whole"))
    sizes = BuildSizes(compared_characters=1_000)
    shingles = ReadableTexts.shingles
    monkeypatch.setattr(
        ReadableTexts,
        "shingles",
        lambda self, positions: read.append(len(positions)) or shingles(self, positions),
    )
    assert ledger(built(tmp_path, near_copies(), "groups", sizes=sizes)) == whole
    assert sum(read) == 80
    assert max(read) <= 8


def test_shards_hold_every_document_once_and_in_order(tmp_path):
    whole = built(tmp_path, plain(90), "whole")
    cut = built(tmp_path, plain(90), "cut", sizes=BuildSizes(shard_bytes=100))
    assert len(list(cut.glob("documents-*"))) > 3
    for split in ("train", "validation", "test"):
        assert list(read_documents(cut, split)) == list(read_documents(whole, split))


def test_frozen_documents_keep_their_split_and_no_near_copy_drops_them(tmp_path):
    files = near_copies()
    first = built(tmp_path, {name: text for name, text in files.items() if name[0] == "a"}, "one")
    frozen = read_split(first)
    directory = tmp_path / "two"
    directory.mkdir()
    moved = SplitSpec(validation=0.2, test=0.2, salt="another")
    spec = CorpusSpec(extensions=(".py",), split=moved)
    list(build_corpus(FakeSnapshot(files), spec, directory, frozen=frozen))
    before, after = ledger(first), ledger(directory)
    assert all(before[f"a{i}.py"]["split"] == after[f"a{i}.py"]["split"] for i in range(40))
    kept = [i for i in range(40) if after[f"b{i}.py"]["reason"] is None]
    assert 5 < len(kept) < 35
    assert all(after[f"a{i}.py"]["split"] == after[f"b{i}.py"]["split"] for i in kept)


def test_of_books_that_are_near_copies_the_first_is_cut_up(tmp_path):
    lines = [f"Paragraph {i} " + " ".join(f"w{i}x{j}" for j in range(40)) for i in range(200)]
    book, edition = "\n\n".join(lines), "\n\n".join([*lines[:-1], "Another end."])
    books = {"a.py": book.encode(), "b.py": edition.encode()}
    rows = ledger(built(tmp_path, books, part_characters=1000))
    assert rows["a.py"]["reason"] is None
    assert (rows["b.py"]["reason"], rows["b.py"]["duplicate_of"]) == ("near-duplicate", "s/a.py")


def test_of_editions_that_differ_in_a_word_here_and_there_the_first_is_cut_up(tmp_path):
    chance = random.Random(0)
    words = [f"{chance.choice('bdfgklm')}a{chance.choice('nprst')}e" for _ in range(2400)]

    def edition(other: str) -> bytes:
        changed = [other if i % 7 == 0 else word for i, word in enumerate(words)]
        return "\n\n".join(" ".join(changed[i : i + 40]) for i in range(0, 2400, 40)).encode()

    books = {"b.py": edition("hath"), "a.py": edition("has"), **plain(5)}
    rows = ledger(built(tmp_path, books, part_characters=1000))
    assert rows["b.py"]["reason"] is None
    assert (rows["a.py"]["reason"], rows["a.py"]["duplicate_of"]) == ("near-duplicate", "s/b.py")
    assert rows["a.py"]["detail"].endswith("% of the characters are the same")
    assert "stand" not in rows["a.py"]["detail"]


def test_frozen_parts_of_a_book_keep_their_split(tmp_path):
    book = {"a.py": "\n\n".join(f"Paragraph {i} " + "word " * 40 for i in range(200)).encode()}
    before = read_split(built(tmp_path, book, "before", part_characters=1000))
    spec = CorpusSpec.model_validate(SPEC | {"part_characters": 1000})
    moved = spec.model_copy(update={"split": SplitSpec(validation=0.2, test=0.2, salt="another")})
    after = {}
    for name, frozen in (("free", {}), ("frozen", before)):
        (tmp_path / name).mkdir()
        list(build_corpus(FakeSnapshot(book), moved, tmp_path / name, frozen=frozen))
        after[name] = read_split(tmp_path / name)
    assert after["free"] != before
    assert after["frozen"] == before
