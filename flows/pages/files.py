"""The same pages as files, `<root>/pages/DATASET/*.html`, for those who have no server.

A file answers no search and follows no training, so the ledger and the learning curve in progress
are on the server only; `charmill explain` and TensorBoard show them without one.
"""

import logging
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from flows.options import StageName
from flows.pages.comparison import newest_pair
from flows.pages.content import Pages
from flows.pages.links import FileLinks, Pair
from flows.reporting.addresses import FOLDER
from flows.reporting.index import INDEX, write_index
from flows.store.runs import Store
from system.errors import CharmillError
from system.files import make_folder, write_whole

logger = logging.getLogger(__name__)
COMPARED: tuple[StageName, StageName] = ("evaluate", "corpus")


def write_all(store: Store) -> Path:
    """Write the pages of every dataset, and the index with links to them; returns its path."""
    datasets = store.datasets()
    for path in (store.root / FOLDER).glob("*"):
        if path.name not in datasets:
            shutil.rmtree(path)
    for dataset in datasets:
        write_pages(store, dataset)
    return write_index(store)


def renew_pages(store: Store, datasets: Iterable[str]) -> None:
    """Write the pages of these datasets again, of those that have any; a failure is logged."""
    for dataset in datasets:
        if not (store.root / FOLDER / dataset).exists():
            continue
        try:
            write_pages(store, dataset)
        except (CharmillError, OSError) as error:
            logger.warning("the pages of %s were not renewed: %s", dataset, error)


def remove_pages(store: Store, dataset: str) -> None:
    """Delete the pages of a dataset, if there are any."""
    folder = store.root / FOLDER / dataset
    if folder.exists():
        shutil.rmtree(folder)


def write_pages(store: Store, dataset: str) -> None:
    """Write the pages of a dataset; a comparison that cannot be made has none.

    Raises:
        CharmillError: if the figures of the corpus are damaged.
    """
    remove_pages(store, dataset)
    folder = store.root / FOLDER / dataset
    make_folder(folder)
    reports, corpora = (newest_pair(store.runs(stage, dataset)) for stage in COMPARED)
    pages = Pages(store, FileLinks())
    links = FileLinks(
        compared=_compared(folder / "compare.html", partial(pages.compare, dataset), reports),
        diffed=_compared(folder / "diff.html", partial(pages.diff, dataset), corpora),
    )
    _write(folder / INDEX, Pages(store, links).dataset(dataset))


def _compared(path: Path, render: Callable[[Pair], str], pair: Pair | None) -> Pair | None:
    """Write a comparison; returns the pair, None if it has no page."""
    if pair is None:
        return None
    try:
        _write(path, render(pair))
    except CharmillError as error:
        logger.warning("%s was not written: %s", path, error)
        return None
    return pair


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode("utf-8"), concurrent=True)
