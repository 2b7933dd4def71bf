import builtins
import dataclasses

import pytest

from modeling.errors import MissingPackageError
from modeling.training.progress import CurvePoint
from modeling.training.tensorboard import EventFiles

POINT = CurvePoint(
    step=1,
    characters=100,
    seconds=1.0,
    fraction=0.1,
    train_bits=3.0,
    validation_bits=None,
    learning_rate=0.1,
    gradient_norm=0.5,
    characters_per_second=99.0,
)


def written(folder):
    """(tag, step) to value, as TensorBoard's protocol stores them."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        place = 0
        while place < len(data):
            length = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + length])
            found |= {(v.tag, event.step): v.simple_value for v in event.summary.value}
            place += 12 + length + 4
    return found


def test_every_value_that_is_known_becomes_a_scalar_at_its_characters(tmp_path):
    events = EventFiles(tmp_path, 0)
    events.append(POINT)
    events.append(dataclasses.replace(POINT, characters=200, validation_bits=2.5))
    events.close()
    found = written(tmp_path)
    assert found["bits_per_character/train", 100] == 3.0
    assert found["gradient_norm", 200] == 0.5
    assert found["bits_per_character/validation", 200] == 2.5
    assert ("bits_per_character/validation", 100) not in found


def test_without_the_package_the_error_says_what_to_install(tmp_path, monkeypatch):
    original = builtins.__import__

    def missing(name, *rest):
        if name == "tensorboardX":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingPackageError, match=r"pip install charmill\[tensorboard\]"):
        EventFiles(tmp_path, 0)
