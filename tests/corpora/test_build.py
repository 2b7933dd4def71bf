import json

import pyarrow.parquet as pq
import pytest

from corpora.build import build_corpus
from corpora.document import Entry
from corpora.errors import CorpusError
from corpora.spec import CorpusSpec, SplitSpec
from corpora.split import split_of
from corpora.store import CorpusSummary, read_character_counts, read_documents

SPEC = {"extensions": [".py"], "split": {"validation": 0.2, "test": 0.2}}


class FakeSnapshot:
    """A source in memory; a content of None is missing, a string is a problem."""

    def __init__(self, files):
        self.files = files

    def entries(self):
        for path, content in self.files.items():
            problem = content if isinstance(content, str) else None
            size = len(content) if isinstance(content, bytes) else 0
            yield Entry(
                source="s", path=path, size=size, handle=path, problem=problem, license="MIT"
            )

    def read(self, entries):
        for entry in entries:
            yield entry, self.files[entry.path]


def plain(number=60, name="f"):
    return {f"{name}{i}.py": f"{name} = {i}\n".encode() for i in range(number)}


def built(tmp_path, files, name="out", **changes):
    directory = tmp_path / name
    directory.mkdir()
    spec = CorpusSpec.model_validate(SPEC | changes)
    list(build_corpus(FakeSnapshot(files), spec, directory))
    return directory


def ledger(directory):
    rows = pq.read_table(directory / "ledger.parquet").to_pylist()
    return {row["path"]: row for row in rows}


def test_every_file_stands_in_the_ledger_with_its_reason(tmp_path):
    odd = {
        "a.txt": b"text",
        "tests/t.py": b"t = 1",
        "large.py": b"#" * 101,
        "empty.py": b" \n",
        "binary.py": b"\x00\x01",
        "gone.py": None,
        "link.py": "symbolic link",
        "latin.py": b"# caf\xe9 au lait, d\xe9j\xe0 vu\n",
        "twin.py": b"f = 7\n",
    }
    rule = {"paths": ["tests/"], "reason": "tests"}
    rows = ledger(built(tmp_path, plain() | odd, max_bytes=100, exclude=[rule]))
    assert {path: rows[path]["reason"] for path in odd} == {
        "a.txt": "extension",
        "tests/t.py": "tests",
        "large.py": "too large",
        "empty.py": "empty",
        "binary.py": "binary",
        "gone.py": "missing in the source",
        "link.py": "not a regular file",
        "latin.py": None,
        "twin.py": "duplicate",
    }
    assert len(rows) == 60 + len(odd)
    assert rows["large.py"]["detail"] == "101 bytes"
    assert rows["twin.py"]["duplicate_of"] == "s/f7.py"
    assert rows["latin.py"]["encoding"] == "windows-1252"
    assert rows["f1.py"]["decision"] == "kept"


def test_documents_come_back_as_they_were(tmp_path):
    texts = {"a.py": "NA", "b.py": "null", "c.py": "n\u00e4\u2028\ud7ff\U0001f600\n", "d.py": '"'}
    directory = built(tmp_path, plain() | {p: t.encode() for p, t in texts.items()})
    documents = [d for s in ("train", "validation", "test") for d in read_documents(directory, s)]
    found = {d.path: d.text for d in documents}
    assert {path: found[path] for path in texts} == texts
    assert len(documents) == 64


def test_the_summary_adds_up(tmp_path):
    directory = built(tmp_path, plain() | {"x.txt": b"12345", "twin.py": b"f = 7\n"})
    summary = CorpusSummary.load(directory)
    sizes = sum(len(content) for content in plain().values())
    assert summary.seen == (62, sizes + 11)
    assert [(row.reason, row.files_left, row.bytes_left) for row in summary.funnel] == [
        ("extension", 61, sizes + 6),
        ("duplicate", 60, sizes),
    ]
    assert sum(size.files for size in summary.splits.values()) == 60
    assert sum(size.characters for size in summary.splits.values()) == sizes
    assert summary.licenses == {"MIT": 60}


def test_characters_are_counted_in_the_training_split_only(tmp_path):
    directory = built(tmp_path, plain())
    text = "".join(d.text for d in read_documents(directory, "train"))
    assert read_character_counts(directory) == {c: text.count(c) for c in sorted(set(text))}


def test_a_files_own_licence_goes_before_its_sources(tmp_path):
    tagged = b"# SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note\nx = 1\n"
    rows = ledger(built(tmp_path, plain() | {"tagged.py": tagged}))
    assert rows["tagged.py"]["license"] == "GPL-2.0-only WITH Linux-syscall-note"
    assert rows["f1.py"]["license"] == "MIT"


def test_equal_input_gives_equal_bytes(tmp_path):
    first, second = (built(tmp_path, plain(), name) for name in ("one", "two"))
    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_the_split_is_stable_when_files_are_added(tmp_path):
    before = ledger(built(tmp_path, plain(200), "before"))
    after = ledger(built(tmp_path, plain(50, "new") | plain(200), "after"))
    assert {p: row["split"] for p, row in before.items()} == {p: after[p]["split"] for p in before}


def test_the_split_has_about_the_shares_asked_for():
    spec = SplitSpec(validation=0.1, test=0.2)
    splits = [split_of(str(i), spec) for i in range(5000)]
    assert abs(splits.count("test") / 5000 - 0.2) < 0.02
    assert abs(splits.count("validation") / 5000 - 0.1) < 0.02


def test_a_corpus_without_held_out_files_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="kept 1 of 2 files, none of them in"):
        built(tmp_path, {"a.py": b"a = 1\n", "b.txt": b""})


def test_the_file_border_never_stands_inside_a_document(tmp_path):
    directory = built(tmp_path, plain() | {"a.py": "x\uffffy".encode()})
    texts = [d.text for s in ("train", "validation", "test") for d in read_documents(directory, s)]
    assert "x\ufffdy" in texts
    assert not any("\uffff" in text for text in texts)


def test_the_summary_is_plain_json(tmp_path):
    directory = built(tmp_path, plain())
    assert json.loads((directory / "summary.json").read_text())["seen"][0] == 60
