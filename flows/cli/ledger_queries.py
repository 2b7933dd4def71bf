"""The commands that query a corpus: what became of a file, and what changed between two."""

from pathlib import Path
from typing import Any

from corpora.sources import parse_source
from flows.errors import StageError
from flows.store.manifest import Manifest
from flows.store.paths import Layout
from flows.store.status import latest_folder


def explain(layout: Layout, dataset: str, path: str) -> list[dict[str, Any]]:
    """Everything the newest corpus knows about a file, one record per source that has it."""
    from corpora.corpus.ledger import rows_of

    folder = latest_folder(layout, "corpus", dataset)
    corpus = Manifest.load(folder)
    fetched = Manifest.load(layout.published("fetch", dataset, corpus.inputs["fetch"]))
    source = parse_source(fetched.parameters["source"])
    resolution = fetched.parameters["found"]
    return [
        {**row, "permalink": source.permalink(resolution, row["source"], row["path"])}
        for row in rows_of(folder, path)
    ]


def two_corpora(
    layout: Layout, dataset: str, old: str | None, new: str | None
) -> tuple[Path, Path]:
    """The folders of two corpora: those named, or the last one and the one before it.

    Raises:
        StageError: if there is no such corpus, or only one.
    """
    keys = layout.keys("corpus", dataset)
    latest = layout.latest_key("corpus", dataset)
    new = new or latest
    old = old or next((key for key in reversed(keys) if key != new), None)
    known = ", ".join(keys) or "none"
    for key in (old, new):
        if key is None or key not in keys:
            raise StageError(f"{dataset}: needs two corpora to compare; there are: {known}")
    assert old
    assert new
    return layout.published("corpus", dataset, old), layout.published("corpus", dataset, new)
