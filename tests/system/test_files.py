import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from system.files import make_folder, read_file, write_whole


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a"
    write_whole(path, b"old")
    write_whole(path, b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_replaced(tmp_path):
    (tmp_path / "a.partial").write_bytes(b"half of")
    write_whole(tmp_path / "a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_leaves_the_old_file_and_says_how_much_it_needed(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_whole(path, b"old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device, 5 bytes needed: '.*/a'"):
        write_whole(path, b"newer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_concurrent_write_leaves_the_partial_file_of_another_process_alone(tmp_path):
    other = tmp_path / "a.1.partial"
    other.write_bytes(b"being written")
    write_whole(tmp_path / "a", b"whole", concurrent=True)
    assert other.read_bytes() == b"being written"
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([digit]) * 100_000 for digit in range(20)]
    write_whole(path, contents[0])
    with ThreadPoolExecutor(1) as pool:
        writes = pool.submit(lambda: [write_whole(path, content) for content in contents])
        while not writes.done():
            assert path.read_bytes() in contents
        writes.result()
    assert path.read_bytes() == contents[-1]


def test_the_names_of_new_folders_are_brought_to_the_disk(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def recorded(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    make_folder(tmp_path / "a" / "b")
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "a")]
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_only_regular_files_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link") == b"x"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device", "."):
        with pytest.raises(OSError, match="Is no regular file"):
            read_file(tmp_path / name)
