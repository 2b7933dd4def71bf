"""Look up what became of a file in the last corpus of a dataset."""

from typing import Any

from pydantic import TypeAdapter

from corpora.sources import Source
from flows.store.runs import Store


def explain(store: Store, dataset: str, path: str) -> list[dict[str, Any]]:
    """Everything that the last corpus records about a file, one row per source that has it."""
    from corpora.corpus.ledger import rows_of
    from corpora.corpus.permalinks import permalink

    corpus = store.runs("corpus", dataset).last()
    fetch = store.runs("fetch", dataset).run(corpus.manifest.inputs["fetch"]).manifest
    source = TypeAdapter(Source).validate_python(fetch.parameters["source"])
    found = fetch.parameters["found"]
    return [
        {**row, "permalink": permalink(source, found, row["source"], row["path"])}
        for row in rows_of(corpus.folder, path)
    ]
