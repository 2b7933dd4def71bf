"""Train: a character LSTM on the corpus; a killed training goes on at its last checkpoint."""

import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.computing import device_of
from flows.progress import Update
from flows.run import Run
from flows.signals import stop_requests
from flows.stage import Stage, StageError, Workplace
from flows.wording import duration

if TYPE_CHECKING:
    from modeling.event_files import EventFiles
    from modeling.metrics import MetricsLog
    from modeling.models.lstm import CharLSTM
    from modeling.progress import Progress
    from modeling.training import Trainer
    from modeling.vocab import Ids, Vocabulary

STREAM = "stream.npy"
CHECKPOINTS = "checkpoints"
POINTS = 400
"""So many points, at most, has a learning curve, validations apart."""


def _parameters(run: Run) -> dict[str, Any]:
    init_from = {"init_from": run.init_from} if run.init_from else {}
    return run.train.to_dict() | init_from


def _work(place: Workplace) -> Generator[Update, None, dict[str, Any]]:
    from modeling.checkpoint import load_checkpoint, save_model
    from modeling.device import describe_device
    from modeling.metrics import MetricsLog
    from modeling.training import Trainer

    device = device_of(place.settings.device)
    vocabulary, stream, validation = _data(place)
    checkpoint = load_checkpoint(place.directory / CHECKPOINTS)
    with _as_stage_error(place):
        trainer = Trainer(
            place.run.train,
            vocabulary,
            stream,
            validation,
            device=device,
            checkpoint=checkpoint,
            initial=_initial(place) if checkpoint is None else None,
        )
        log = MetricsLog(place.directory)
        yield from _train(trainer, log, place)
    log.finish()
    totals, model = trainer.totals, trainer.best_model()
    save_model(place.directory, place.run.train, vocabulary, model)
    del stream
    (place.directory / STREAM).unlink()
    shutil.rmtree(place.directory / CHECKPOINTS, ignore_errors=True)
    return {
        "characters": totals.characters,
        "updates": totals.step,
        "seconds": round(totals.seconds, 3),
        "best_validation_bits": totals.best_bits,
        "vocabulary": vocabulary.size,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "device": describe_device(device),
    }


def _initial(place: Workplace) -> "tuple[CharLSTM, Vocabulary] | None":
    """The model to begin with, and its vocabulary."""
    from modeling.checkpoint import load_model

    if place.run.init_from is None:
        return None
    dataset, _, key = place.run.init_from.partition("@")
    model, vocabulary, _ = load_model(place.layout.published("train", dataset, key))
    return model, vocabulary


def _data(place: Workplace) -> "tuple[Vocabulary, Ids, Sequence[Ids]]":
    """The vocabulary, the training stream on disk, and the validation documents."""
    from corpora.store import read_character_counts, read_documents
    from modeling.vocab import Vocabulary

    corpus = place.inputs["corpus"]
    vocabulary = Vocabulary.from_counts(
        read_character_counts(corpus), min_count=place.run.train.min_count
    )
    stream = _write_stream(corpus, vocabulary, place.directory / STREAM)
    validation = [document.text for document in read_documents(corpus, "validation")]
    return vocabulary, stream, vocabulary.encode_documents(validation)


def _write_stream(corpus: Path, vocabulary: "Vocabulary", path: Path) -> "Ids":
    """Encode the training documents, each behind its mark, into a memory-mapped array (N,)."""
    import numpy as np

    from corpora.store import read_documents
    from corpora.summary import CorpusSummary

    size = CorpusSummary.load(corpus).splits["train"]
    length = size.documents + size.characters
    stream = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=(length,))
    start = 0
    for document in read_documents(corpus, "train"):
        for ids in vocabulary.encode_documents([document.text]):
            stream[start : start + len(ids)] = ids
            start += len(ids)
    stream.flush()
    return np.load(path, mmap_mode="r")


def _train(
    trainer: "Trainer", log: "MetricsLog", place: Workplace
) -> Generator[Update, None, None]:
    """Train to the end of the budget, with a checkpoint now and then."""
    from modeling.checkpoint import save_checkpoint

    log.rewind(trainer.totals.step)
    events = _event_files(place, trainer.totals.characters)
    pause = place.run.train.checkpoint_seconds
    due, point_due = time.monotonic() + pause, 0.0
    with stop_requests() as stop:
        for progress in trainer.run():
            if progress.validation_bits is not None or progress.fraction >= point_due:
                for curve in (log, *events):
                    curve.append(progress)
                point_due = progress.fraction + 1 / POINTS
            if stop or time.monotonic() >= due:
                save_checkpoint(place.directory / CHECKPOINTS, trainer.checkpoint())
                due = time.monotonic() + pause
            if stop:
                break
            yield Update(progress.fraction, _line(progress, trainer))
    for curve in events:
        curve.close()


def _event_files(place: Workplace, characters: int) -> "list[EventFiles]":
    """TensorBoard's files, if the user wishes them."""
    from modeling.event_files import EventFiles

    root = place.settings.tensorboard
    if root is None:
        return []
    return [EventFiles(root.expanduser() / f"{place.run.dataset}-{place.key}", characters)]


def _line(progress: "Progress", trainer: "Trainer") -> str:
    """Progress as one line: speed, bits per character, time left."""
    best = trainer.totals.best_bits
    spent = progress.fraction
    left = progress.seconds * (1 - spent) / spent if spent else 0.0
    held_out = "" if best is None else f", held-out {best:.3f}"
    return (
        f"{progress.characters_per_second:,.0f} characters/s, {progress.train_bits:.3f} "
        f"bits/character{held_out}, {duration(left)} left"
    )


@contextmanager
def _as_stage_error(place: Workplace) -> Iterator[None]:
    """Say what training refuses (too little text, divergence) as the user's matter."""
    try:
        yield
    except ValueError as error:
        raise StageError(f"train of {place.run.dataset}: {error}") from error


TRAIN = Stage(
    name="train",
    version=1,
    inputs=("corpus",),
    parameters=_parameters,
    work=_work,
    resumable=True,
)
