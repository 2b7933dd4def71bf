"""Look up what the last corpus of a dataset, or a failed attempt at one, records about a file."""

import json
from pathlib import Path
from typing import Any

from corpora.sources import parse_source
from flows.store.integrity import verified
from flows.store.runs import StageRun, StageRuns, Store
from flows.store.stage import INPUTS
from flows.store.status import load_failure


def explain(store: Store, dataset: str, path: str) -> list[dict[str, Any]]:
    """Everything that the last corpus records about a file, one row per source that has it.

    If the last attempt to build a corpus failed, its ledger is read.
    """
    from corpora.corpus.ledger import rows_of

    runs = store.runs("corpus", dataset)
    failure = load_failure(runs)
    failed = _failed_attempt(runs) if failure else None
    if failed and failure:
        folder, fetch = failed.work, _fetch_of(failed)
        more = {"attempt": failure.summary}
    else:
        folder, fetch, more = _finished(runs.last())
    manifest = store.runs("fetch", dataset).run(fetch).manifest
    source = parse_source(manifest.parameters["source"])
    resolution = manifest.parameters["found"]
    return [
        {**row, "permalink": source.permalink(resolution, row["source"], row["path"]), **more}
        for row in rows_of(folder, path)
    ]


def _finished(corpus: StageRun) -> tuple[Path, str, dict[str, str]]:
    from corpora.corpus.parquet import LEDGER

    return verified(corpus, LEDGER), corpus.manifest.inputs["fetch"], {}


def _failed_attempt(runs: StageRuns) -> StageRun | None:
    """The newest unfinished run with a ledger that no process is making."""
    from corpora.corpus.parquet import LEDGER

    found = [
        run
        for run in runs.unfinished()
        if (run.work / LEDGER).exists() and _fetch_of(run) and not run.is_locked
    ]
    return max(found, key=lambda run: (run.work / LEDGER).stat().st_mtime, default=None)


def _fetch_of(attempt: StageRun) -> str:
    """The key of the fetch that an unfinished run reads; "" if it is not recorded."""
    try:
        return str(json.loads((attempt.work / INPUTS).read_bytes())["fetch"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""
