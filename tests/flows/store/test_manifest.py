"""The manifest: it records every file, and notices any change to itself."""

import hashlib
import json
import random
from dataclasses import replace

import pytest

from flows.errors import DamageError, StageError
from flows.store.manifest import FORMAT, MANIFEST, FileRecord, Manifest, key_digest, record_files

KEY = key_digest("train", 3, {"seed": 1}, {"corpus": "0a"})
TRUE = Manifest(
    stage="train",
    dataset="caf\u00e9",
    key=f"{KEY}-2",
    inputs={"corpus": "0a"},
    parameters={"seed": 1},
    version=3,
    summary={"bits": 1.5, "digest": "0" * 64},
    seconds=1e-7,
    attempts=1,
    created="2026-11-22T12:00:00+00:00",
    software={"torch": "2"},
    files={"a/b.txt": FileRecord(bytes=3, sha256="ab" * 32)},
)


def test_a_manifest_reads_back_as_it_was(tmp_path):
    for manifest in (TRUE, replace(TRUE, files=None)):
        manifest.save(tmp_path)
        assert Manifest.load(tmp_path) == manifest
    assert TRUE.has_true_key
    assert not replace(TRUE, version=4).has_true_key


def test_no_flipped_bit_of_a_manifest_passes(tmp_path):
    TRUE.save(tmp_path)
    path = tmp_path / MANIFEST
    content, source = path.read_bytes(), random.Random(5)
    for bit in source.sample(range(8 * len(content)), 1000):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(StageError, match=MANIFEST):
            Manifest.load(tmp_path)


def test_a_manifest_of_an_earlier_version_has_no_files_and_is_accepted(tmp_path):
    data = json.loads(_saved(tmp_path))
    for name in ("files", "format", "digest"):
        del data[name]
    (tmp_path / MANIFEST).write_text(json.dumps(data))
    assert Manifest.load(tmp_path) == replace(TRUE, files=None)


@pytest.mark.parametrize(
    "change",
    [{"inputs": 5}, {"created": None}, {"version": "3"}, {"seconds": "1"}, {"summary": []}],
)
def test_a_value_of_the_wrong_type_in_an_earlier_manifest_is_damage(tmp_path, change):
    data = {k: v for k, v in json.loads(_saved(tmp_path)).items() if k not in ("format", "digest")}
    (tmp_path / MANIFEST).write_text(json.dumps({**data, "files": None, **change}))
    with pytest.raises(DamageError, match=f"not a manifest .{next(iter(change))} is"):
        Manifest.load(tmp_path)


def test_a_key_of_an_input_that_is_no_text_is_damage(tmp_path):
    data = {k: v for k, v in json.loads(_saved(tmp_path)).items() if k not in ("format", "digest")}
    data |= {"files": None, "inputs": {"fetch": ["aa11"]}}
    (tmp_path / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(DamageError, match=r"not a manifest .the key of an input is no text"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("size", ["5", -1, 1e3, True, 10**400, None])
def test_a_size_that_no_file_can_have_is_damage(tmp_path, size):
    _saved(tmp_path)
    record = replace(FileRecord(bytes=1, sha256=""), bytes=size)
    replace(TRUE, files={"a": record}).save(tmp_path)
    with pytest.raises(DamageError, match=r"not a manifest .a file of "):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"{}"])
def test_what_is_no_manifest_is_damage(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(DamageError, match=r"manifest.json: not a manifest"):
        Manifest.load(tmp_path)


def test_a_missing_manifest_is_damage_and_one_of_a_later_version_is_not(tmp_path):
    with pytest.raises(DamageError, match=r"manifest.json: No such file"):
        Manifest.load(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps({"format": FORMAT + 1, "shape": "unknown"}))
    with pytest.raises(StageError, match="later version of charmill; update charmill") as error:
        Manifest.load(tmp_path)
    assert not isinstance(error.value, DamageError)


def test_every_file_but_the_manifest_is_recorded(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / MANIFEST).write_text("one")
    (tmp_path / "empty").write_text("")
    TRUE.save(tmp_path)
    assert record_files(tmp_path) == {
        f"a/{MANIFEST}": FileRecord(bytes=3, sha256=hashlib.sha256(b"one").hexdigest()),
        "empty": FileRecord(bytes=0, sha256=hashlib.sha256().hexdigest()),
    }


def _saved(folder) -> str:
    TRUE.save(folder)
    return (folder / MANIFEST).read_text()
