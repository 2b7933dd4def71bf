"""Corpus: filter the files of the source, and write the documents and the ledger."""

from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from corpora.document import Snapshot, Split
from corpora.sources import parse_source
from corpora.spec import CorpusSpec
from flows.errors import StageError
from flows.options import Run
from flows.store.integrity import verified
from flows.store.manifest import Manifest
from flows.store.runs import StageRuns
from flows.store.stage import Stage, StageContext
from system.progress import Progress


def _parameters(run: Run) -> dict[str, Any]:
    return run.spec.corpus.model_dump(mode="json")


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    from corpora.build.corpus import build_corpus
    from corpora.corpus.card import write_card
    from corpora.corpus.summary import CorpusSummary

    spec = context.run.spec
    yield from build_corpus(
        opened(context.inputs["fetch"]),
        spec.corpus,
        context.directory,
        frozen=frozen_documents(spec.corpus, context.output.runs),
        workers=context.workers,
    )
    summary = CorpusSummary.load(context.directory)
    write_card(context.directory, context.run.dataset, spec, summary)
    splits = {name: asdict(size) for name, size in summary.splits.items()}
    return {"digest": summary.digest, "splits": splits}


def opened(fetched: Path) -> Snapshot:
    """The fetched material in the folder of a finished fetch."""
    return parse_source(Manifest.load(fetched).parameters["source"]).open(fetched)


def frozen_documents(spec: CorpusSpec, corpora: StageRuns) -> dict[str, Split]:
    """The split of the documents that must stay where an earlier corpus put them.

    Args:
        corpora: the runs in which `frozen` names one.
    """
    from corpora.corpus.parquet import read_split

    if spec.frozen is None:
        return {}
    try:
        return read_split(verified(corpora.find(spec.frozen)))
    except StageError as error:
        raise StageError(f"corpus.frozen: {error}") from None


CORPUS = Stage(
    name="corpus",
    version=7,
    inputs=("fetch",),
    parameters=_parameters,
    work=_work,
    resumable=True,
    reproducible=lambda _run: True,
)
