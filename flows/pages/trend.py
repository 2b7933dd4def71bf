"""The figures of a dataset's reports in the order of their age, and of the corpora they used.

Only manifests are read, each once, so that a page with hundreds of reports is quick. The frame of
`flows.api.reports` has more columns, for which it verifies and reads every report.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evaluation.results import Metric
from flows.errors import StageError
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import StageRun, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendRow:
    """One report.

    Attributes:
        corpus: key of the corpus it used.
        characters: of that corpus, all splits; None if it is gone.
        bits, gain: per character; of the model, and saved relative to the best n-gram.
        seconds: of all stages.
    """

    key: str
    created: str
    preset: str
    budget: str
    corpus: str
    characters: int | None
    bits: float
    gain: float
    headline: str | None
    metric: Metric | None
    seconds: float


def trend(store: Store, dataset: str) -> list[TrendRow]:
    """All readable reports of a dataset, oldest first; a damaged one is left out."""
    return list(_rows(store, dataset))


def _rows(store: Store, dataset: str) -> Iterator[TrendRow]:
    for run in store.runs("evaluate", dataset).finished():
        try:
            yield _row(store, run)
        except (StageError, KeyError, TypeError, OSError):
            continue


def _row(store: Store, run: StageRun) -> TrendRow:
    manifest, dataset = run.manifest, run.runs.dataset
    summary, metric = manifest.summary, manifest.summary.get("headline_metric")
    corpus, train = (manifest.inputs.get(name, "") for name in ("corpus", "train"))
    return TrendRow(
        key=run.key,
        created=manifest.created,
        preset=str(manifest.parameters.get("preset", "")),
        budget=str(_parameter(store.runs("train", dataset).run(train), "budget")),
        corpus=corpus,
        characters=_characters(store.runs("corpus", dataset).run(corpus)),
        bits=float(summary["bits_per_char"]),
        gain=float(summary["gain_over_ngram"]),
        headline=summary.get("headline"),
        metric=metric and Metric(**metric),
        seconds=float(summary["seconds_in_all"]),
    )


def _parameter(run: StageRun, name: str) -> object:
    found = _manifest(run)
    return found.parameters.get(name, "") if found else ""


def _characters(run: StageRun) -> int | None:
    found = _manifest(run)
    splits = found.summary.get("splits") if found else None
    return sum(size["characters"] for size in splits.values()) if splits else None


def _manifest(run: StageRun) -> Manifest | None:
    """The manifest of a run that a report used; it may have been removed since."""
    if not run.key or not run.is_finished:
        return None
    try:
        return _loaded(run.folder, (run.folder / MANIFEST).stat().st_mtime_ns)
    except (StageError, OSError):
        return None


@lru_cache(maxsize=1000)
def _loaded(folder: Path, modified: int) -> Manifest:
    """A manifest; many reports use the same corpus."""
    return Manifest.load(folder)
