"""Train: a character LSTM on the corpus; a killed training goes on at its last checkpoint."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.options import Run
from flows.stages.devices import device_of
from flows.stages.signals import stop_requests
from flows.store.stage import Stage, Workplace
from flows.words import training_line
from system.progress import Progress

if TYPE_CHECKING:
    from modeling.models.model import CharModel
    from modeling.training.job import TrainingJob
    from modeling.training.session import Session
    from modeling.vocab import Ids, Vocabulary

STREAM = "stream.npy"


def _parameters(run: Run) -> dict[str, Any]:
    init_from = {"init_from": run.init_from} if run.init_from else {}
    return run.train.to_dict() | init_from


def _work(place: Workplace) -> Generator[Progress, None, dict[str, Any]]:
    from modeling.training.job import TrainingJob
    from modeling.training.session import Session

    device = device_of(place.settings.device)
    vocabulary, stream, validation = _data(place)
    job = TrainingJob(
        config=place.run.train,
        vocabulary=vocabulary,
        stream=stream,
        validation=validation,
        initial=_initial(place),
    )
    if place.settings.processes > 1:
        summary = yield from _together(place, job, device.type)
    else:
        session = Session(place.directory, job, device, events=_events(place))
        yield from _alone(session)
        summary = session.summary()
    del stream, job
    (place.directory / STREAM).unlink()
    return summary


def _alone(session: "Session") -> Generator[Progress, None, None]:
    """Train in this process; a wish to stop is passed on once the checkpoint is saved."""
    with stop_requests() as stop:
        for progress in session.run(lambda: bool(stop)):
            best = session.trainer.totals.best_bits
            yield Progress.at(progress.fraction, training_line(progress, best))


def _together(
    place: Workplace, job: "TrainingJob", device: str
) -> Generator[Progress, None, dict[str, Any]]:
    from flows.stages.distributed import train_together

    return (
        yield from train_together(
            place.directory,
            job,
            place.settings.processes,
            device=device,
            stream=place.directory / STREAM,
            initial=_initial_folder(place),
            events=_events(place),
        )
    )


def _events(place: Workplace) -> Path | None:
    """Folder for TensorBoard's files, if the user wishes them."""
    root = place.settings.tensorboard
    return root.expanduser().absolute() / f"{place.run.dataset}-{place.key}" if root else None


def _initial_folder(place: Workplace) -> Path | None:
    """Folder of the model to begin with."""
    if place.run.init_from is None:
        return None
    dataset, _, key = place.run.init_from.partition("@")
    return place.layout.published("train", dataset, key)


def _initial(place: Workplace) -> "tuple[CharModel, Vocabulary] | None":
    """The model to begin with, and its vocabulary."""
    from modeling.checkpoint import load_model

    folder = _initial_folder(place)
    if folder is None:
        return None
    model, vocabulary, _ = load_model(folder)
    return model, vocabulary


def _data(place: Workplace) -> "tuple[Vocabulary, Ids, Sequence[Ids]]":
    """The vocabulary, the training stream on disk, and the validation documents."""
    from corpora.corpus.parquet import read_character_counts, read_documents
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

    from corpora.corpus.parquet import read_documents
    from corpora.corpus.summary import CorpusSummary

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


TRAIN = Stage(
    name="train",
    version=4,
    inputs=("corpus",),
    parameters=_parameters,
    work=_work,
    resumable=True,
)
