import errno
import os

import pytest
import torch
from safetensors.torch import load_file

from modeling.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_model,
)
from modeling.errors import ModelFileError
from modeling.models import build_model
from modeling.models.lstm import CharLSTM


def checkpoint(number):
    tensors = {"weights": torch.full((3, 4), float(number)), "step": torch.tensor(number)}
    return Checkpoint(tensors=tensors, values={"number": number, "bits": 0.1 + number})


def test_the_newest_checkpoint_is_loaded_as_it_was_saved(tmp_path):
    for number in range(3):
        save_checkpoint(tmp_path, checkpoint(number))
    loaded = load_checkpoint(tmp_path)
    assert loaded.values == checkpoint(2).values
    assert loaded.tensors.keys() == {"weights", "step"}
    for name, tensor in checkpoint(2).tensors.items():
        assert loaded.tensors[name].equal(tensor)
        assert loaded.tensors[name].dtype == tensor.dtype


def test_a_directory_without_checkpoints_has_none(tmp_path):
    assert load_checkpoint(tmp_path) is None
    assert load_checkpoint(tmp_path / "missing") is None


def test_two_checkpoints_are_kept(tmp_path):
    written = [save_checkpoint(tmp_path, checkpoint(number)) for number in range(12)]
    assert sorted(tmp_path.iterdir()) == written[-2:]


def test_a_checkpoint_opens_with_safetensors_alone(tmp_path):
    path = save_checkpoint(tmp_path, checkpoint(5))
    assert load_file(path)["weights"].equal(torch.full((3, 4), 5.0))


def test_a_checkpoint_torn_at_any_place_gives_way_to_the_one_before(tmp_path, caplog):
    save_checkpoint(tmp_path, checkpoint(1))
    newest = save_checkpoint(tmp_path, checkpoint(2))
    whole = newest.read_bytes()
    for length in range(len(whole)):
        newest.write_bytes(whole[:length])
        assert load_checkpoint(tmp_path).values["number"] == 1
    assert caplog.records[0].message.startswith(f"{newest}: damaged checkpoint")


def test_a_checkpoint_with_any_byte_changed_gives_way_or_is_unharmed(tmp_path, caplog):
    save_checkpoint(tmp_path, checkpoint(1))
    newest = save_checkpoint(tmp_path, checkpoint(2))
    whole = bytearray(newest.read_bytes())
    for place in range(len(whole)):
        damaged = whole.copy()
        damaged[place] ^= 0x10
        newest.write_bytes(damaged)
        loaded = load_checkpoint(tmp_path)
        number = loaded.values["number"]
        assert loaded.values == checkpoint(number).values
        assert loaded.tensors["weights"].equal(checkpoint(number).tensors["weights"])
        assert number == 1 or place < len(whole) - 56  # 56 bytes are weights and step


def test_a_torn_checkpoint_is_not_counted_on_when_the_next_is_written(tmp_path):
    save_checkpoint(tmp_path, checkpoint(1))
    save_checkpoint(tmp_path, checkpoint(2)).write_bytes(b"torn")
    save_checkpoint(tmp_path, checkpoint(3))
    assert load_checkpoint(tmp_path).values["number"] == 3


def test_a_full_disk_leaves_the_last_checkpoint_and_names_the_bytes(tmp_path, monkeypatch):
    first = save_checkpoint(tmp_path, checkpoint(1))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device, \d+ bytes needed: '.*00000001"):
        save_checkpoint(tmp_path, checkpoint(2))
    assert list(tmp_path.iterdir()) == [first]
    assert load_checkpoint(tmp_path).values["number"] == 1


def test_a_saved_model_is_loaded_unchanged(tmp_path, config, vocabulary, model):
    save_model(tmp_path / "model", config, vocabulary, model)
    loaded, same_vocabulary, same_config = load_model(tmp_path / "model")
    assert (same_vocabulary, same_config) == (vocabulary, config)
    assert not loaded.training
    ids = torch.arange(12).reshape(2, 6)
    assert loaded(ids)[0].equal(model(ids)[0])
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"model.safetensors", "config.json", "vocabulary.json"}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocabulary.json"])
def test_half_a_model_is_refused_in_one_line(tmp_path, config, vocabulary, model, name):
    save_model(tmp_path, config, vocabulary, model)
    whole = (tmp_path / name).read_bytes()
    for damage in (whole[: len(whole) // 2], None):
        (tmp_path / name).unlink() if damage is None else (tmp_path / name).write_bytes(damage)
        with pytest.raises(ModelFileError, match="not a complete model") as caught:
            load_model(tmp_path)
        assert "\n" not in str(caught.value)


def test_an_error_in_a_model_is_no_damage(tmp_path, config, vocabulary, model, monkeypatch):
    def broken(_self):
        raise ValueError("a bug")

    save_model(tmp_path, config, vocabulary, model)
    monkeypatch.setattr(CharLSTM, "make_layers", broken)
    with pytest.raises(ValueError, match=r"^a bug$"):
        load_model(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path, config, vocabulary):
    save_model(tmp_path, config, vocabulary, build_model(config.model, vocabulary.size + 1))
    with pytest.raises(ModelFileError, match=r"not a complete model: .*size mismatch"):
        load_model(tmp_path)
