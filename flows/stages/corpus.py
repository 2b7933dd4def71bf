"""Corpus: filter the files of the source, and write the documents and the ledger."""

from collections.abc import Generator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from corpora.sources import parse_source
from flows.errors import StageError
from flows.options import Run
from flows.store.integrity import verified
from flows.store.manifest import Manifest
from flows.store.stage import Stage, StageContext
from system.progress import Progress

if TYPE_CHECKING:
    from corpora.document import Split


def _parameters(run: Run) -> dict[str, Any]:
    return run.spec.corpus.model_dump(mode="json")


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    from corpora.build.corpus import build_corpus
    from corpora.corpus.card import write_card
    from corpora.corpus.summary import CorpusSummary

    spec = context.run.spec
    fetched = Manifest.load(context.inputs["fetch"])
    source = parse_source(fetched.parameters["source"])
    snapshot = source.open(context.inputs["fetch"])
    yield from build_corpus(
        snapshot,
        spec.corpus,
        context.directory,
        frozen=_frozen(context),
        workers=context.workers,
    )
    summary = CorpusSummary.load(context.directory)
    write_card(context.directory, context.run.dataset, spec, summary)
    splits = {name: asdict(size) for name, size in summary.splits.items()}
    return {"digest": summary.digest, "splits": splits}


def _frozen(context: StageContext) -> "dict[str, Split]":
    """The split of the documents that must stay where an earlier corpus put them."""
    from corpora.corpus.parquet import read_split

    key = context.run.spec.corpus.frozen
    if key is None:
        return {}
    try:
        return read_split(verified(context.output.runs.find(key)))
    except StageError as error:
        raise StageError(f"corpus.frozen: {error}") from None


CORPUS = Stage(
    name="corpus",
    version=5,
    inputs=("fetch",),
    parameters=_parameters,
    work=_work,
    resumable=True,
    reproducible=lambda _run: True,
)
