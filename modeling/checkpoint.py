"""Training states and models on disk: safetensors and JSON, written atomically.

A checkpoint is one safetensors file; its header holds the plain values and a digest of everything.
It is renamed into place after fsync, and the previous checkpoint is kept. A file that is truncated
or fails its digest is reported, and the previous one is loaded instead.

Only one process at a time may write to a directory.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from modeling.config import TrainConfig, train_config_from
from modeling.errors import ModelFileError, ModelingError
from modeling.models import build_model
from modeling.models.model import CharModel
from modeling.vocab import Vocabulary
from system.damage import UNREADABLE
from system.files import sync_path, write_whole

_KEPT = 2
_PATTERN = "checkpoint-*.safetensors"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A training state: named tensors on the CPU, and values that JSON can hold."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint to a directory and delete all but the newest two.

    Returns:
        Path of the checkpoint.

    Raises:
        OSError: the file could not be written; earlier checkpoints are unchanged.
    """
    directory.mkdir(parents=True, exist_ok=True)
    present = sorted(directory.glob(_PATTERN))
    if not present:
        sync_path(directory.parent)
    number = _number(present[-1]) + 1 if present else 0
    values = json.dumps(checkpoint.values)
    header = {"values": values, "sha256": _digest(values, checkpoint.tensors)}
    path = directory / f"checkpoint-{number:08d}.safetensors"
    write_whole(path, to_safetensors(dict(checkpoint.tensors), metadata=header))
    for old in present[: len(present) + 1 - _KEPT]:
        old.unlink()
    return path


def load_checkpoint(directory: Path) -> Checkpoint | None:
    """Load the newest intact checkpoint; None if there is none."""
    for path in sorted(directory.glob(_PATTERN), reverse=True):
        try:
            return _read(path)
        except (SafetensorError, *UNREADABLE) as error:
            _log.warning("%s: damaged checkpoint, using the previous one: %s", path, error)
    return None


def save_model(
    directory: Path, config: TrainConfig, vocabulary: Vocabulary, model: CharModel
) -> None:
    """Write model.safetensors, config.json and vocabulary.json, each atomically."""
    directory.mkdir(parents=True, exist_ok=True)
    # Copies, because safetensors rejects a tensor with two names, and tied weights have two.
    weights = {name: weight.to("cpu", copy=True) for name, weight in model.state_dict().items()}
    write_whole(directory / "model.safetensors", to_safetensors(weights))
    write_whole(directory / "config.json", json.dumps(config.to_dict(), indent=2).encode())
    vocabulary.save(directory / "vocabulary.json")


def load_model(
    directory: Path, device: torch.device | None = None
) -> tuple[CharModel, Vocabulary, TrainConfig]:
    """Load what `save_model` wrote; the model is in evaluation mode.

    Raises:
        ModelFileError: the directory does not hold a complete model.
    """
    with _explaining_damage(directory, SafetensorError, *UNREADABLE):
        values = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        config = train_config_from(values)
        vocabulary = Vocabulary.load(directory / "vocabulary.json")
        weights = load_file(directory / "model.safetensors")
    # Not all of UNREADABLE, because a bug in a model would pass for damage: RuntimeError is how
    # torch refuses weights of another shape, and a shape that exceeds the memory.
    with _explaining_damage(directory, RuntimeError, MemoryError):
        model = build_model(config.model, vocabulary.size)
        model.load_state_dict(weights)
    return model.to(device or torch.device("cpu")).eval(), vocabulary, config


@contextmanager
def _explaining_damage(directory: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Turn our own errors and those of some kinds into a ModelFileError."""
    try:
        yield
    except (ModelingError, *kinds) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{directory}: not a complete model: {reason}") from error


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _digest(values: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(values.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if header["sha256"] != _digest(header["values"], tensors):
        raise ValueError("its digest does not match its content")
    return Checkpoint(tensors=tensors, values=json.loads(header["values"]))
