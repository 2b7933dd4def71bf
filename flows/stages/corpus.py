"""Corpus: decide about every file, and write the documents and the ledger."""

from collections.abc import Generator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from corpora.sources import parse_source
from flows.errors import StageError
from flows.options import Run
from flows.store.manifest import Manifest
from flows.store.stage import Stage, Workplace
from system.progress import Progress

if TYPE_CHECKING:
    from corpora.document import Split


def _parameters(run: Run) -> dict[str, Any]:
    return run.spec.corpus.model_dump(mode="json")


def _work(place: Workplace) -> Generator[Progress, None, dict[str, Any]]:
    from corpora.build.corpus import build_corpus
    from corpora.corpus.card import write_card
    from corpora.corpus.summary import CorpusSummary

    spec = place.run.spec
    fetched = Manifest.load(place.inputs["fetch"])
    source = parse_source(fetched.parameters["source"])
    snapshot = source.open(place.inputs["fetch"])
    yield from build_corpus(snapshot, spec.corpus, place.directory, frozen=_frozen(place))
    summary = CorpusSummary.load(place.directory)
    write_card(place.directory, place.run.dataset, spec, summary)
    splits = {name: asdict(size) for name, size in summary.splits.items()}
    return {"digest": summary.digest, "splits": splits}


def _frozen(place: Workplace) -> "dict[str, Split]":
    """The split of the documents that must stay where an earlier corpus put them."""
    from corpora.corpus.parquet import read_split

    key = place.run.spec.corpus.frozen
    if key is None:
        return {}
    folder = place.layout.published("corpus", place.run.dataset, key)
    if not place.layout.is_published("corpus", place.run.dataset, key):
        raise StageError(f"corpus.frozen: {folder}: there is no such corpus")
    return read_split(folder)


CORPUS = Stage(name="corpus", version=4, inputs=("fetch",), parameters=_parameters, work=_work)
