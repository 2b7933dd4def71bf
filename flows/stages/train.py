"""Train: a character LSTM on the corpus; a killed training resumes from its last checkpoint."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import DamageError, StageError
from flows.options import Run
from flows.stages.devices import device_of
from flows.stages.signals import stop_requests
from flows.store.integrity import verified
from flows.store.stage import Stage, StageContext
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


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    from modeling.training.job import TrainingJob
    from modeling.training.session import Session

    started = time.monotonic()
    device = device_of(context.settings.device)
    vocabulary, stream, validation = _data(context)
    job = TrainingJob(
        config=context.run.train,
        vocabulary=vocabulary,
        stream=stream,
        validation=validation,
        initial=_initial(context),
    )
    if context.settings.processes > 1:
        summary = yield from _in_processes(context, job, device.type, started)
    else:
        events = _events(context)
        session = Session(context.directory, job, device, events=events, started=started)
        yield from _in_this_process(session)
        summary = session.summary()
    del stream, job
    (context.directory / STREAM).unlink()
    return summary


def _in_this_process(session: "Session") -> Generator[Progress, None, None]:
    """Train in this process; a signal to stop takes effect once the checkpoint is saved."""
    with stop_requests() as stop:
        for progress in session.run(lambda: bool(stop)):
            best = session.trainer.totals.best_bits
            yield Progress.at(progress.fraction, progress.line(best))


def _in_processes(
    context: StageContext, job: "TrainingJob", device: str, started: float
) -> Generator[Progress, None, dict[str, Any]]:
    from flows.stages.distributed import train_in_processes

    return (
        yield from train_in_processes(
            context.directory,
            job,
            context.settings.processes,
            device=device,
            stream=context.directory / STREAM,
            initial=_initial_folder(context),
            events=_events(context),
            started=started,
        )
    )


def _events(context: StageContext) -> Path | None:
    """Folder for TensorBoard's files, None if the user wants none."""
    root = context.settings.tensorboard
    return (
        root.expanduser().absolute() / f"{context.run.dataset}-{context.output.key}"
        if root
        else None
    )


def _initial_folder(context: StageContext) -> Path | None:
    """Folder of the model to start from.

    Raises:
        DamageError: if a file of it is damaged.
    """
    if context.run.init_from is None:
        return None
    dataset, _, key = context.run.init_from.partition("@")
    return verified(context.store.runs("train", dataset).run(key))


def _initial(context: StageContext) -> "tuple[CharModel, Vocabulary] | None":
    """The model to start from, and its vocabulary."""
    from modeling.checkpoint import load_model

    folder = _initial_folder(context)
    if folder is None:
        return None
    model, vocabulary, _ = load_model(folder)
    return model, vocabulary


def _data(context: StageContext) -> "tuple[Vocabulary, Ids, Sequence[Ids]]":
    """The vocabulary, the training stream on disk, and the validation documents."""
    from corpora.corpus.parquet import read_character_counts, read_documents
    from modeling.vocab import Vocabulary

    corpus = context.inputs["corpus"]
    vocabulary = Vocabulary.from_counts(
        read_character_counts(corpus), min_count=context.run.train.min_count
    )
    stream = _write_stream(corpus, vocabulary, context.directory / STREAM)
    validation = [document.text for document in read_documents(corpus, "validation")]
    return vocabulary, stream, vocabulary.encode_documents(validation)


def _write_stream(corpus: Path, vocabulary: "Vocabulary", path: Path) -> "Ids":
    """Encode the training documents, each after its mark, into a memory-mapped array (N,).

    It is written as a file: writing to mapped memory when the disk is full kills the process.

    Raises:
        DamageError: if the corpus does not hold the training text that its summary counts.
    """
    import numpy as np

    from corpora.corpus.parquet import read_documents
    from corpora.corpus.summary import CorpusSummary

    size = CorpusSummary.load(corpus).splits["train"]
    length = size.documents + size.characters
    if not size.characters:
        raise StageError(f"{corpus}: has no training text")
    kind = np.lib.format.dtype_to_descr(np.dtype(np.uint16))
    written = 0
    with path.open("wb") as file:
        header = {"descr": kind, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, header)
        for document in read_documents(corpus, "train"):
            for ids in vocabulary.encode_documents([document.text]):
                file.write(ids.data)
                written += len(ids)
    if written != length:
        raise DamageError(
            f"{corpus}: its documents have {written:,} characters and marks to train on, its "
            f"summary counts {length:,}; build it again"
        )
    return np.load(path, mmap_mode="r")


TRAIN = Stage(
    name="train",
    version=6,
    inputs=("corpus",),
    parameters=_parameters,
    work=_work,
    resumable=True,
)
