import os
from pathlib import Path

import pytest

from corpora.errors import SourceError
from corpora.sources import folder
from corpora.sources.folder import FolderSource


def source_of(path, **keys):
    return FolderSource.model_validate({"kind": "folder", "path": str(path), **keys})


def fetched(source, directory):
    directory.mkdir()
    list(source.fetch(source.resolve(), directory))
    snapshot = source.open(directory)
    return {entry.path: content for entry, content in snapshot.read(snapshot.entries())}


def write(root, files):
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def test_an_error_of_ours_is_no_damage(tmp_path, monkeypatch):
    def broken(_member):
        raise ValueError("a bug")

    write(tmp_path / "in", {"b.py": b"b"})
    monkeypatch.setattr(folder, "_handle", broken)
    with pytest.raises(ValueError, match=r"^a bug$"):
        fetched(source_of(tmp_path / "in"), tmp_path / "out")


def test_a_folder_is_kept_as_it_was(tmp_path):
    write(tmp_path / "in", {"b.py": b"b", "a/c.py": b"c"})
    source = source_of(tmp_path / "in")
    (tmp_path / "out").mkdir()
    list(source.fetch(source.resolve(), tmp_path / "out"))
    write(tmp_path / "in", {"b.py": b"changed"})
    snapshot = source.open(tmp_path / "out")
    assert [(e.path, c) for e, c in snapshot.read(snapshot.entries())] == [
        ("a/c.py", b"c"),
        ("b.py", b"b"),
    ]


def test_patterns_choose_files_and_skip_folders(tmp_path):
    write(tmp_path / "in", {"a.py": b"", "b.txt": b"", "skip/c.py": b"", "deep/skip/d.py": b""})
    source = source_of(tmp_path / "in", include=["*.py"], exclude=["skip/"])
    assert list(fetched(source, tmp_path / "out")) == ["a.py"]


def test_links_are_not_followed(tmp_path):
    write(tmp_path / "in", {"a.py": b"a"})
    (tmp_path / "in" / "link.py").symlink_to("/etc/passwd")
    assert list(fetched(source_of(tmp_path / "in"), tmp_path / "out")) == ["a.py"]


def test_names_that_are_no_utf8_are_escaped(tmp_path):
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/caf\xe9.py")).write_bytes(b"x")
    assert fetched(source_of(tmp_path / "in"), tmp_path / "out") == {"caf%E9.py": b"x"}


def test_the_identity_follows_content_and_names_only(tmp_path):
    write(tmp_path / "in", {"a.py": b"a"})
    source = source_of(tmp_path / "in")
    before = source.resolve()
    os.utime(tmp_path / "in" / "a.py", (0, 0))
    assert source.resolve() == before
    write(tmp_path / "in", {"a.py": b"b"})
    assert source.resolve() != before


def test_a_folder_that_changed_since_it_was_looked_at_is_refused(tmp_path):
    write(tmp_path / "in", {"a.py": b"a"})
    source = source_of(tmp_path / "in")
    resolution = source.resolve()
    write(tmp_path / "in", {"a.py": b"b"})
    (tmp_path / "out").mkdir()
    with pytest.raises(SourceError, match="changed while it was read; run again"):
        list(source.fetch(resolution, tmp_path / "out"))


def test_no_folder_and_no_file_are_one_clear_line(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        source_of(tmp_path / "nosuch").resolve()
    with pytest.raises(SourceError, match=r"no file matches \*\.py"):
        source_of(tmp_path, include=["*.py"]).resolve()


def test_the_standard_library_is_where_the_interpreter_says():
    assert (source_of("{stdlib}").root / "ast.py").is_file()
