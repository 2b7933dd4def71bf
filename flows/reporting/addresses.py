"""Addresses of our own pages, and of artifacts in Prefect's UI, valid on any host.

Whether the server has our pages, `CHARMILL_PAGES` says: another server than charmill's has not.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from system.settings import Settings

PAGES = "/charmill"
KEYS_AT_ONCE = 50
"""Per request: the answer contains the artifacts, and a report has up to 500 kB."""
FOLDER = "pages"
"""Of the same pages as files, below the artifacts root."""


def are_served() -> bool:
    """Whether the server that shows our artifacts has these pages."""
    return Settings().pages


def page_links(dataset: str | None = None) -> str:
    """Links to the pages of a dataset and to the index, in Markdown; "" without pages."""
    if not are_served():
        return ""
    links = [f"[all reports]({index_address()})"]
    if dataset:
        links.insert(0, f"[runs, trend, corpus and files of {dataset}]({dataset_address(dataset)})")
    return f"Pages: {', '.join(links)}"


def index_address() -> str:
    """The index of all reports."""
    return f"{PAGES}/"


def dataset_address(dataset: str, *parts: str) -> str:
    """The page of a dataset, or one below it."""
    return "/".join((PAGES, *(quote(part, safe="") for part in (dataset, *parts))))


def report_address(dataset: str, key: str) -> str:
    """The HTML report of a run."""
    return dataset_address(dataset, "report", key)


def artifact_address(found: object) -> str:
    """One version of an artifact in Prefect's UI, by its id.

    The page of a key is no substitute: it loads all versions, and fails if there is none.
    """
    return f"/v2/artifacts/artifact/{found}"


def newest_artifacts(keys: Sequence[str]) -> dict[str, str]:
    """The addresses of the newest versions of those artifacts that exist, by key."""
    return dict(_newest_artifacts(keys))


def _newest_artifacts(keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        ArtifactCollectionFilter,
        ArtifactCollectionFilterKey,
    )

    with get_client(sync_client=True) as client:
        for start in range(0, len(keys), KEYS_AT_ONCE):
            wanted = ArtifactCollectionFilterKey(any_=list(keys[start : start + KEYS_AT_ONCE]))
            chosen = ArtifactCollectionFilter(key=wanted)
            for one in client.read_latest_artifacts(artifact_filter=chosen):
                yield one.key, artifact_address(one.latest_id)
