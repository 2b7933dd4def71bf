"""A corpus of many repositories: the same bytes whatever the workers, killed ones included."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpora.build.corpus import SOURCE_BYTES, BuildSizes, build_corpus
from corpora.build.findings import FOLDER
from corpora.sources.git.snapshot import GitSnapshot
from tests.corpora.build.repositories import SPEC, make_repositories, source_of

NUMBER = 12
SIZES = BuildSizes(batch_bytes=4 * SOURCE_BYTES, shard_bytes=20_000)


@dataclass(frozen=True)
class Watched:
    """A snapshot that notes what is read, and kills the first worker that reads one repository."""

    snapshot: GitSnapshot
    notes: Path
    deadly: str = ""

    def entries(self):
        return self.snapshot.entries()

    def read(self, entries):
        entries = list(entries)
        for source in {entry.source for entry in entries if entry.path.endswith(".py")}:
            mark = self.notes / "killed"
            if source == self.deadly and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            with (self.notes / "read").open("a") as file:
                file.write(f"{source}\n")
        return self.snapshot.read(entries)

    def parts(self):
        return {
            name: Watched(part, self.notes, self.deadly)
            for name, part in self.snapshot.parts().items()
        }


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """The snapshot of many repositories, where they were made: fetching takes most of the time."""
    folder = tmp_path_factory.mktemp("many")
    return source_of(make_repositories(folder, NUMBER)).open(folder)


def stored(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def expected(fetched, tmp_path_factory):
    """Every file of the corpus as one worker makes it."""
    folder = tmp_path_factory.mktemp("one")
    list(build_corpus(fetched, SPEC, folder, workers=1, sizes=SIZES))
    return stored(folder)


def test_copies_and_near_copies_in_other_repositories_are_found(expected, tmp_path):
    (tmp_path / "ledger.parquet").write_bytes(expected["ledger.parquet"])
    rows = pq.read_table(tmp_path / "ledger.parquet").to_pylist()
    assert len(rows) == NUMBER * 11 + 2 * (NUMBER - 1)
    found = {f"{row['source']}/{row['path']}": row for row in rows}
    for number in range(1, NUMBER):
        same = found[f"r{number:03d}/copied/same.py"]
        assert (same["reason"], same["duplicate_of"]) == (
            "duplicate",
            f"r{number // 2:03d}/src/1.py",
        )
    for number in range(3, NUMBER, 3):
        almost = found[f"r{number:03d}/copied/almost.py"]
        original = found[f"r{number // 3:03d}/src/2.py"]
        assert almost["split"] == original["split"] or None in (almost["split"], original["split"])
        assert almost["cluster"] or almost["duplicate_of"] or original["duplicate_of"]
    assert {row["license"] for row in rows if row["decision"] == "kept"} == {"MIT"}
    assert len([name for name in expected if name.startswith("documents-")]) > 2


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_gives_the_same_bytes(fetched, expected, tmp_path, workers):
    notes = [p.note for p in build_corpus(fetched, SPEC, tmp_path, workers=workers, sizes=SIZES)]
    assert stored(tmp_path) == expected
    assert notes[0] == f"examined 4 of {NUMBER} repositories"
    assert f"examined {NUMBER} of {NUMBER} repositories" in notes


@pytest.mark.slow
def test_batches_and_parts_of_any_size_give_the_same_bytes(fetched, expected, tmp_path):
    sizes = BuildSizes(batch_bytes=1, shard_bytes=SIZES.shard_bytes)
    list(build_corpus(Undivided(fetched), SPEC, tmp_path, workers=1, sizes=sizes))
    assert stored(tmp_path) == expected


@dataclass(frozen=True)
class Undivided:
    """The same files as those of one source."""

    snapshot: GitSnapshot

    def entries(self):
        return self.snapshot.entries()

    def read(self, entries):
        return self.snapshot.read(entries)


def test_what_a_killed_worker_examined_is_examined_again(fetched, expected, tmp_path):
    notes, folder = tmp_path / "notes", tmp_path / "out"
    notes.mkdir()
    folder.mkdir()
    list(build_corpus(Watched(fetched, notes, "r011"), SPEC, folder, workers=2, sizes=SIZES))
    assert (notes / "killed").exists()
    assert stored(folder) == expected


def interrupted(snapshot, folder):
    """Begin a build, and end it after the first pass over half of the repositories."""
    folder.mkdir()
    work = build_corpus(snapshot, SPEC, folder, workers=1, sizes=SIZES)
    for update in work:
        assert update.note.startswith("examined")
        if update.done > 0.25 * (update.total or 0):
            return


def test_a_build_that_was_interrupted_examines_only_what_is_left(fetched, expected, tmp_path):
    notes, folder = tmp_path / "notes", tmp_path / "out"
    notes.mkdir()
    interrupted(Watched(fetched, notes), folder)
    first = Counter((notes / "read").read_text().split())
    assert 0 < len(first) < NUMBER
    (notes / "read").unlink()
    list(build_corpus(Watched(fetched, notes), SPEC, folder, workers=1, sizes=SIZES))
    assert stored(folder) == expected
    second = Counter((notes / "read").read_text().split())
    (notes / "read").unlink()
    list(build_corpus(Watched(fetched, notes), SPEC, folder, workers=1, sizes=SIZES))
    whole = Counter((notes / "read").read_text().split())
    assert whole - second == first


def test_findings_that_are_damaged_are_made_again(fetched, expected, tmp_path):
    interrupted(fetched, tmp_path / "out")
    one, two, *_ = sorted((tmp_path / "out" / FOLDER).iterdir())
    one.write_bytes(one.read_bytes()[:-20])
    two.write_bytes(b"")
    list(build_corpus(fetched, SPEC, tmp_path / "out", workers=1, sizes=SIZES))
    assert stored(tmp_path / "out") == expected
