"""All reports of all runs of all datasets as one frame, a row for each report.

A report that cannot be read gets a row with the reason in `problem`, and does not hide the others.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.errors import ReportError
from flows.api.columns import LADDER, METRICS, REPORTS, fitted, from_rows
from flows.api.lookup import check_name, store_at
from flows.options import StageName
from flows.store.integrity import verified
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import StageRun, Store
from flows.store.status import REPORT
from system.damage import explaining_damage
from system.display import visible
from system.errors import CharmillError

ADVICE = "evaluate again: --from evaluate --force"
_Row = dict[str, Any]


def reports(
    *names: str, artifacts: Path | str | None = None, datasets: Path | str | None = None
) -> pd.DataFrame:
    """All reports of these datasets, or of all, by dataset and age, the oldest first.

    The columns are listed in docs/notebooks.md; they do not depend on which reports there are.

    Args:
        names: of datasets.
        artifacts: folder of the artifact store; by default `CHARMILL_ARTIFACTS` or `artifacts/`.
        datasets: folder of your dataset TOMLs; by default `CHARMILL_DATASETS`.

    Raises:
        SpecError: if there is no such dataset.
        OptionError: if there is no such folder.
    """
    store = store_at(artifacts)
    for name in names:
        check_name(name, store, datasets)
    return reports_in(store, names or store.datasets())


def reports_in(store: Store, names: Iterable[str]) -> pd.DataFrame:
    """All reports of these datasets in a store."""
    rows: list[_Row] = []
    for name in dict.fromkeys(names):
        runs = store.runs("evaluate", name)
        latest = runs.latest
        rows += (_row(run, is_latest=run == latest) for run in runs.finished())
    return from_rows(rows, REPORTS)


def read_report(run: StageRun) -> Mapping[str, Any]:
    """The content of `report.json`.

    Raises:
        DamageError: if it has changed since it was published.
        ReportError: if it is of another version.
    """
    path = verified(run, REPORT) / REPORT
    with explaining_damage(path, ReportError, ADVICE):
        report = json.loads(path.read_bytes())
        for part in ("ladder", "groups"):
            if not isinstance(report[part], list):
                raise TypeError(f"{part} is no list")
    return report


def ladder_of(run: StageRun) -> pd.DataFrame:
    """The ladder of a report, from the worst predictor to the best."""
    report, path = read_report(run), run.folder / REPORT
    with explaining_damage(path, ReportError, ADVICE):
        return from_rows(map(_rung, report["ladder"]), LADDER)


def metrics_of(run: StageRun) -> pd.DataFrame:
    """Every metric of every group of texts of a report."""
    report, path = read_report(run), run.folder / REPORT
    with explaining_damage(path, ReportError, ADVICE):
        return from_rows(_metric_rows(report), METRICS)


def _rung(row: Mapping[str, Any]) -> _Row:
    low, high = row.get("interval") or (None, None)
    return {**row, "predictor": row["name"], "low": low, "high": high}


def _metric_rows(report: Mapping[str, Any]) -> Iterator[_Row]:
    from evaluation.metrics.catalogue import meaning_of

    for group in report["groups"]:
        for key, metric in group["metrics"].items():
            low, high = metric.get("interval") or (None, None)
            label = meaning_of(key).label
            yield {**group, **metric, "metric": key, "label": label, "low": low, "high": high}


def _row(run: StageRun, *, is_latest: bool) -> _Row:
    """One report; what cannot be read is missing, with the reason in `problem`."""
    row: _Row = {"dataset": visible(run.runs.dataset), "run": run.key, "is_latest": is_latest}
    problems: list[str] = []
    for read, name in ((_figures, MANIFEST), (_made_from, MANIFEST), (_bits, REPORT)):
        try:
            found = read(run)
            with explaining_damage(run.folder / name, ReportError, ADVICE):
                row |= fitted(found, REPORTS)
        except CharmillError as error:
            problems.append(str(error))
    return row | {"problem": "; ".join(dict.fromkeys(problems)) or None}


def _figures(run: StageRun) -> _Row:
    """What the manifest of the report says: the figures of the verdict, and where it is from."""
    manifest = run.manifest
    with explaining_damage(run.folder / MANIFEST, ReportError, ADVICE):
        return {
            **{name: manifest.inputs.get(name) for name in ("fetch", "corpus", "train", "sample")},
            **{name: manifest.parameters.get(name) for name in ("title", "language", "preset")},
            "finished": manifest.created,
            **_headline(manifest.summary),
        }


def _made_from(run: StageRun) -> _Row:
    """Figures of the training and of the corpus, unless they were removed since."""
    store, dataset, keys = run.runs.store, run.runs.dataset, run.manifest.inputs
    readers: dict[StageName, Callable[[Manifest], _Row]] = {"train": _training, "corpus": _sizes}
    found: _Row = {}
    for stage, figures in readers.items():
        used = store.runs(stage, dataset).run(keys.get(stage, ""))
        if used.key and used.is_finished:
            manifest = used.manifest
            with explaining_damage(used.folder / MANIFEST, ReportError, ADVICE):
                found |= figures(manifest)
    return found


def _training(train: Manifest) -> _Row:
    settings, summary = train.parameters, train.summary
    model = settings.get("model", {})
    return {
        **{name: settings.get(name) for name in ("budget", "seed")},
        **{name: model.get(name) for name in ("architecture", "hidden_size")},
        **{name: summary.get(name) for name in ("parameters", "device")},
        "trained_characters": summary.get("characters"),
        "train_seconds": summary.get("seconds"),
    }


def _sizes(corpus: Manifest) -> _Row:
    splits: Mapping[str, Mapping[str, int]] = corpus.summary.get("splits", {})
    if not splits:
        return {}
    characters = {name: size["characters"] for name, size in splits.items()}
    return {
        "documents": sum(size["documents"] for size in splits.values()),
        "characters": sum(characters.values()),
        "train_characters": characters.get("train"),
        "test_characters": characters.get("test"),
    }


def _headline(summary: Mapping[str, Any]) -> _Row:
    """The figures that the verdict quotes."""
    metric = summary.get("headline_metric") or {}
    low, high = metric.get("interval") or (None, None)
    return {
        **{name: summary[name] for name in ("verdict", "bits_per_char", "gain_over_ngram")},
        "headline": summary.get("headline"),
        "headline_temperature": summary.get("headline_temperature"),
        "headline_value": metric.get("value", summary.get("headline_value")),
        "headline_low": low,
        "headline_high": high,
        "headline_n": metric.get("n"),
        "seconds": summary["seconds_in_all"],
        "warnings": len(summary.get("warnings", ())),
    }


def _bits(run: StageRun) -> _Row:
    """From the report: the interval of the model's bits, the best n-gram, floor and control."""
    report, headline = read_report(run), run.manifest.summary.get("headline")
    with explaining_damage(run.folder / REPORT, ReportError, ADVICE):
        ladder = report["ladder"]
        model = [row for row in ladder if row["kind"] == "model"][0]  # noqa: RUF015
        ngrams = [row for row in ladder if row["kind"] == "ngram"]
        best = min(ngrams, key=lambda row: row["bits_per_char"], default={})
        low, high = model.get("interval") or (None, None)
        return {
            "bits_low": low,
            "bits_high": high,
            "bits_per_byte": model.get("bits_per_byte"),
            "train_bits_per_char": model.get("train_bits_per_char"),
            "best_ngram": best.get("name"),
            "ngram_bits_per_char": best.get("bits_per_char"),
            **_anchors(report, headline),
        }


def _anchors(report: Mapping[str, Any], headline: str | None) -> _Row:
    """The headline metric of n-gram samples and of real text."""
    return {
        f"headline_{group['role']}": group["metrics"].get(headline, {}).get("value")
        for group in report["groups"]
        if group["role"] in ("floor", "control")
    }
