"""Look up what the last corpus of a dataset records about a file."""

from typing import Any

from corpora.sources import parse_source
from flows.store.integrity import verified
from flows.store.runs import Store


def explain(store: Store, dataset: str, path: str) -> list[dict[str, Any]]:
    """Everything that the last corpus records about a file, one row per source that has it."""
    from corpora.corpus.ledger import rows_of
    from corpora.corpus.parquet import LEDGER

    corpus = store.runs("corpus", dataset).last()
    fetch = store.runs("fetch", dataset).run(corpus.manifest.inputs["fetch"]).manifest
    source = parse_source(fetch.parameters["source"])
    resolution = fetch.parameters["found"]
    return [
        {**row, "permalink": source.permalink(resolution, row["source"], row["path"])}
        for row in rows_of(verified(corpus, LEDGER), path)
    ]
