"""Addresses of our own pages on the server of `charmill serve`, valid on any host.

Whether the server has these pages, `CHARMILL_PAGES` says: another server than charmill's has not.
"""

from urllib.parse import quote

from system.settings import Settings

PAGES = "/charmill"
FOLDER = "pages"
"""Of the same pages as files, below the artifacts root."""


def are_served() -> bool:
    """Whether the server that shows our artifacts has these pages."""
    return Settings().pages


def index_address() -> str:
    """The index of all reports."""
    return f"{PAGES}/"


def dataset_address(dataset: str, *parts: str) -> str:
    """The page of a dataset, or one below it."""
    return "/".join((PAGES, *(quote(part, safe="") for part in (dataset, *parts))))


def report_address(dataset: str, key: str) -> str:
    """The HTML report of a run."""
    return dataset_address(dataset, "report", key)
