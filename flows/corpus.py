"""Corpus: decide about every file, and write the documents and the ledger."""

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from corpora.sources import Source
from flows.manifest import Manifest
from flows.progress import Update
from flows.run import Run
from flows.stage import Stage, Workplace


def _parameters(run: Run) -> dict[str, Any]:
    return run.spec.corpus.model_dump(mode="json")


def _work(place: Workplace) -> Generator[Update, None, dict[str, Any]]:
    from corpora.build import build_corpus
    from corpora.store import CorpusSummary

    fetched = Manifest.load(place.inputs["fetch"])
    source = TypeAdapter(Source).validate_python(fetched.parameters["source"])
    snapshot = source.open(place.inputs["fetch"])
    for step in build_corpus(snapshot, place.run.spec.corpus, place.directory):
        yield Update(step.done / (step.total or 1), f"{step.done:,} {step.unit}")
    summary = CorpusSummary.load(place.directory)
    splits = {name: asdict(size) for name, size in summary.splits.items()}
    return {"digest": summary.digest, "splits": splits}


CORPUS = Stage(name="corpus", version=1, inputs=("fetch",), parameters=_parameters, work=_work)
