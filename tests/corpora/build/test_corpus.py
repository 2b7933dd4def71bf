import hashlib
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpora.build.corpus import BuildSizes, build_corpus
from corpora.corpus.parquet import read_character_counts, read_documents
from corpora.corpus.summary import CorpusSummary
from corpora.dedup.split import split_of
from corpora.document import Entry
from corpora.errors import CorpusError
from corpora.spec import CorpusSpec, SplitSpec

SIZES = BuildSizes()
SPEC = {"extensions": [".py"], "split": {"validation": 0.2, "test": 0.2}}


class FakeSnapshot:
    """A source in memory; a content of None is missing, a string is a problem."""

    def __init__(self, files, license_="MIT"):
        self.files = files
        self.license = license_

    def entries(self):
        for path, content in self.files.items():
            problem = content if isinstance(content, str) else None
            size = len(content) if isinstance(content, bytes) else 0
            yield Entry(
                source="s",
                path=path,
                size=size,
                handle=path,
                problem=problem,
                license=self.license,
            )

    def read(self, entries):
        for entry in entries:
            yield entry, self.files[entry.path]


def plain(number=60, name="f"):
    """Small texts of which no two are near-copies."""
    return {f"{name}{i}.py": line(name, i) for i in range(number)}


def line(name, number):
    digest = hashlib.sha256(f"{name}{number}".encode()).hexdigest()
    return f"{name} = {number}  # {digest[:12]}\n".encode()


def built(tmp_path, files, name="out", *, sizes=SIZES, **changes):
    directory = tmp_path / name
    directory.mkdir()
    spec = CorpusSpec.model_validate(SPEC | changes)
    list(build_corpus(FakeSnapshot(files), spec, directory, sizes=sizes))
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
        "lfs.py": b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n",
        "link.py": "symbolic link",
        "latin.py": b"# caf\xe9 au lait, d\xe9j\xe0 vu\n",
        "twin.py": line("f", 7),
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
        "lfs.py": "LFS pointer",
        "link.py": "not a regular file",
        "latin.py": None,
        "twin.py": "duplicate",
    }
    assert len(rows) == 60 + len(odd)
    assert rows["large.py"]["detail"] == "101 bytes"
    assert rows["twin.py"]["duplicate_of"] == "s/f7.py"
    assert rows["latin.py"]["encoding"] == "windows-1252"
    assert rows["f1.py"]["decision"] == "kept"


def test_the_ledger_names_the_extension_that_is_not_wanted(tmp_path):
    names = {
        "a.tar.gz": ".gz",
        "b/.bashrc": "none",
        "b.d/Makefile": "none",
        "end.": "none",
        "..c": ".c",
    }
    rows = ledger(built(tmp_path, plain() | dict.fromkeys(names, b"text")))
    assert {name: rows[name]["detail"] for name in names} == names


def test_documents_come_back_as_they_were(tmp_path):
    texts = {"a.py": "NA", "b.py": "null", "c.py": "n\u00e4\u2028\ud7ff\U0001f600\n", "d.py": '"'}
    directory = built(tmp_path, plain() | {p: t.encode() for p, t in texts.items()})
    documents = [d for s in ("train", "validation", "test") for d in read_documents(directory, s)]
    found = {d.path: d.text for d in documents}
    assert {path: found[path] for path in texts} == texts
    assert len(documents) == 64


def test_the_summary_adds_up(tmp_path):
    directory = built(tmp_path, plain() | {"x.txt": b"12345", "twin.py": line("f", 7)})
    summary = CorpusSummary.load(directory)
    sizes, twin = sum(len(content) for content in plain().values()), len(line("f", 7))
    assert summary.seen == (62, sizes + 5 + twin)
    assert [(row.reason, row.files_left, row.bytes_left) for row in summary.funnel] == [
        ("extension", 61, sizes + twin),
        ("duplicate", 60, sizes),
    ]
    assert sum(size.documents for size in summary.splits.values()) == 60
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


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.py": b"a = 1\n", "b.txt": b""},
            (
                "kept 1 of 2 files: no document in validation and test, three files, or 1,000 "
                "characters in one, are needed; dropped: 1 extension (corpus.extensions)"
            ),
        ),
        (
            {f"{n}.py": b"word " * 900 + b"%d" % n for n in range(4)} | {"0/e.py": b""},
            (
                "kept 0 of 5 files: 4 long lines "
                "(corpus.text.max_line and max_mean_line), 1 empty; `charmill explain DATASET PATH`"
            ),
        ),
        ({}, "kept 0 of 0 files: the source has none"),
    ],
)
def test_a_refusal_counts_the_reasons_and_names_the_settings(tmp_path, files, message):
    with pytest.raises(CorpusError, match=re.escape(message)):
        built(tmp_path, files)


def test_the_file_border_never_stands_inside_a_document(tmp_path):
    directory = built(tmp_path, plain() | {"a.py": "x\uffffy".encode()})
    texts = [d.text for s in ("train", "validation", "test") for d in read_documents(directory, s)]
    assert "x\ufffdy" in texts
    assert not any("\uffff" in text for text in texts)


def test_the_summary_is_plain_json(tmp_path):
    directory = built(tmp_path, plain())
    assert json.loads((directory / "summary.json").read_text())["seen"][0] == 60


def test_a_sample_fits_its_size_and_is_stable_when_a_file_is_added(tmp_path):
    size = sum(len(content) for content in plain(200).values()) // 2
    before = ledger(built(tmp_path, plain(200), "before", sample_bytes=size))
    after = ledger(built(tmp_path, plain(200) | {"n.py": b"n=1"}, "after", sample_bytes=size))
    chosen = {path for path, row in before.items() if row["reason"] is None}
    assert size * 0.9 < sum(before[path]["bytes"] for path in chosen) <= size
    assert {row["reason"] for path, row in before.items() if path not in chosen} == {"not sampled"}
    still = {path for path, row in after.items() if row["reason"] is None}
    assert len(chosen ^ still) <= 3


def test_only_included_paths_are_kept(tmp_path):
    files = plain() | {f"sub/{name}": content + b"#\n" for name, content in plain().items()}
    rows = ledger(built(tmp_path, files, include=["/sub/"]))
    assert {row["reason"] for path, row in rows.items() if path[:4] != "sub/"} == {
        "outside include"
    }
    assert rows["sub/f1.py"]["reason"] is None


def test_a_text_can_be_cut_into_parts_that_are_split_on_their_own(tmp_path):
    book = "\n\n".join(f"Paragraph {i} " + "word " * 40 for i in range(200))
    directory = built(tmp_path, {"book.py": book.encode()}, part_characters=1000)
    documents = [d for s in ("train", "validation", "test") for d in read_documents(directory, s)]
    in_order = sorted(documents, key=lambda d: int(d.path.partition("#")[2]))
    assert "".join(d.text for d in in_order) == book
    assert {d.split for d in documents} == {"train", "validation", "test"}
    assert len(ledger(directory)) == 1


def test_rules_on_content_drop_with_their_reasons(tmp_path):
    key = "AKIA" + "Q7PLM3ZX5TNB2WVK"
    odd = {
        "long.py": b"x = '" + b"a" * 3000 + b"'\n",
        "made.py": b"# Code generated by maker. DO NOT EDIT.\nx = 1\n",
        "secret.py": f"aws_key = '{key}'\n".encode(),
        "gpl.py": b"# SPDX-License-Identifier: GPL-2.0-only\nx = 2\n",
        "node_modules/v.py": b"x = 3\n",
    }
    text = {"license": {"deny": ["GPL-2.0-only"]}, "vendored": "drop"}
    rows = ledger(built(tmp_path, plain() | odd, text=text))
    assert {path: rows[path]["reason"] for path in odd} == {
        "long.py": "long lines",
        "made.py": "generated",
        "secret.py": "secret",
        "gpl.py": "licence",
        "node_modules/v.py": "vendored",
    }
    assert key not in str(rows)


def test_vendored_files_are_labelled_by_default(tmp_path):
    rows = ledger(built(tmp_path, plain() | {"node_modules/v.py": b"x = 3\n"}))
    assert rows["node_modules/v.py"]["reason"] is None
    assert rows["node_modules/v.py"]["vendored"] is True
    assert rows["f1.py"]["vendored"] is False


def test_normalisations_are_made_before_copies_are_looked_for(tmp_path):
    files = plain() | {"tab.py": b"f =\t99\n", "blank.py": b"f = 99\n"}
    rows = ledger(built(tmp_path, files, normalise={"tab_width": 4}))
    assert rows["blank.py"]["duplicate_of"] == "s/tab.py"


def test_project_gutenbergs_licence_is_cut_off_and_recorded(tmp_path):
    book = (
        b"The Project Gutenberg EBook\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n"
        b"It was the best of times.\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nlicence\n"
    )
    directory = built(tmp_path, plain() | {"book.py": book}, gutenberg=True)
    texts = [d.text for s in ("train", "validation", "test") for d in read_documents(directory, s)]
    assert "It was the best of times." in [text.strip() for text in texts]
    assert ledger(directory)["book.py"]["detail"].startswith("licence cut off: ")


def test_a_sources_own_licence_file_stands_for_its_silent_files(tmp_path):
    mit = (Path(__file__).parents[3] / "LICENSE").read_bytes()
    directory = tmp_path / "out"
    directory.mkdir()
    snapshot = FakeSnapshot(plain() | {"LICENSE": mit}, license_=None)
    list(build_corpus(snapshot, CorpusSpec.model_validate(SPEC), directory))
    assert ledger(directory)["f1.py"]["license"] == "MIT"


def test_what_a_licence_file_says_besides_is_in_the_summary(tmp_path):
    mit = (Path(__file__).parents[3] / "LICENSE").read_text(encoding="utf-8")
    mit = f"The file f1.py is in the public domain.\n\n{mit}"
    directory = tmp_path / "out"
    directory.mkdir()
    snapshot = FakeSnapshot(plain() | {"LICENSE": mit.encode()}, license_=None)
    list(build_corpus(snapshot, CorpusSpec.model_validate(SPEC), directory))
    rows = ledger(directory)
    assert (rows["f1.py"]["license"], rows["f2.py"]["license"]) == (None, "MIT")
    notes = CorpusSummary.load(directory).license_notes
    assert notes == ('s: LICENSE also says: "The file f1.py is in the public domain."',)


def test_a_tag_that_is_odd_or_unreadable_never_gives_way_to_the_sources_licence(tmp_path):
    tags = {
        "kernel.py": "((GPL-2.0 WITH Linux-syscall-note) AND GPL-2.0-only)",
        "choice.py": "((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)",
        "slash.py": "MIT/GPL-2.0-only",
        "comma.py": "MIT, GPL-2.0-only",
        "empty.py": "",
    }
    files = {
        path: f"# SPDX-License-Identifier: {tag}\nimport {path[:-3]}\n".encode()
        for path, tag in tags.items()
    }
    allowed = {"license": {"allow": ["MIT", "BSD-3-Clause"]}}
    rows = ledger(built(tmp_path, plain() | files, text=allowed))
    assert rows["f1.py"]["decision"] == rows["choice.py"]["decision"] == "kept"
    dropped = {path: rows[path]["detail"] for path in tags if rows[path]["reason"] == "licence"}
    assert dropped == {
        "kernel.py": "GPL-2.0-only WITH Linux-syscall-note AND GPL-2.0-only",
        "slash.py": "unreadable: MIT/GPL-2.0-only",
        "comma.py": "unreadable: MIT, GPL-2.0-only",
        "empty.py": "unreadable: (empty)",
    }
