"""What the last corpus of a dataset, or a failed attempt at one, records about its files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpora.sources import parse_source
from flows.store.integrity import verified
from flows.store.runs import StageRun, StageRuns, Store
from flows.store.stage import INPUTS
from flows.store.status import load_failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger of a corpus.

    Attributes:
        key: of the corpus.
        folder: where it is.
        attempt: why the attempt that wrote it failed; "" if the corpus is finished.
    """

    store: Store
    dataset: str
    key: str
    folder: Path
    fetch: str
    attempt: str = ""

    def explain(self, path: str) -> list[dict[str, Any]]:
        """Everything about a file, one row per source that has it.

        Raises:
            CorpusError: if no such file was seen; suggests others.
        """
        from corpora.corpus.ledger import rows_of

        manifest = self.store.runs("fetch", self.dataset).run(self.fetch).manifest
        source = parse_source(manifest.parameters["source"])
        resolution = manifest.parameters["found"]
        more = {"attempt": self.attempt} if self.attempt else {}
        return [
            {**row, "permalink": source.permalink(resolution, row["source"], row["path"]), **more}
            for row in rows_of(self.folder, path)
        ]


def explain(store: Store, dataset: str, path: str) -> list[dict[str, Any]]:
    """Everything that the ledger of a dataset records about a file."""
    return ledger_of(store, dataset).explain(path)


def ledger_of(store: Store, dataset: str) -> Ledger:
    """The ledger of the last corpus; if the last attempt failed, that of the attempt.

    Raises:
        StageError: if there is none.
        DamageError: if it is damaged.
    """
    from corpora.corpus.parquet import LEDGER

    runs = store.runs("corpus", dataset)
    failure = load_failure(runs)
    failed = _failed_attempt(runs) if failure else None
    if failed and failure:
        return Ledger(
            store=store,
            dataset=dataset,
            key=failed.key,
            folder=failed.work,
            fetch=_fetch_of(failed),
            attempt=failure.summary,
        )
    corpus = runs.last()
    return Ledger(
        store=store,
        dataset=dataset,
        key=corpus.key,
        folder=verified(corpus, LEDGER),
        fetch=corpus.manifest.inputs["fetch"],
    )


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
