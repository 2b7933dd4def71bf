"""Where the pages are: on a server, or in files below the artifacts root.

A page that does not exist has no address, so that nothing links to it.
"""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from flows.reporting.addresses import dataset_address, index_address, report_address

Pair = tuple[str, str]
"""Keys of two runs, the older one first."""


class Links(Protocol):
    """The addresses of all pages; None for those that do not exist."""

    @property
    def home(self) -> str | None:
        """Prefect's UI."""
        ...

    @property
    def index(self) -> str:
        """The index of all datasets."""
        ...

    def dataset(self, name: str) -> str:
        """The page of a dataset."""
        ...

    def report(self, dataset: str, key: str) -> str:
        """The HTML report of a run."""
        ...

    def compare(self, dataset: str, pair: Pair) -> str | None:
        """The comparison of two reports."""
        ...

    def diff(self, dataset: str, pair: Pair) -> str | None:
        """The comparison of two corpora."""
        ...

    def ledger(self, dataset: str) -> str | None:
        """The search in the ledger of a corpus."""
        ...

    def training(self, dataset: str) -> str | None:
        """The learning curve of the training in progress, or of the last one."""
        ...


@dataclass(frozen=True, slots=True)
class ServedLinks:
    """Addresses on the server; all pages exist."""

    home: str | None = "/"
    index: str = index_address()

    def dataset(self, name: str) -> str:
        """The page of a dataset."""
        return dataset_address(name)

    def report(self, dataset: str, key: str) -> str:
        """The HTML report of a run."""
        return report_address(dataset, key)

    def compare(self, dataset: str, pair: Pair) -> str | None:
        """The comparison of two reports."""
        return dataset_address(dataset, "compare", *pair)

    def diff(self, dataset: str, pair: Pair) -> str | None:
        """The comparison of two corpora."""
        return dataset_address(dataset, "diff", *pair)

    def ledger(self, dataset: str) -> str | None:
        """The search in the ledger of a corpus."""
        return dataset_address(dataset, "ledger")

    def training(self, dataset: str) -> str | None:
        """The learning curve of the training in progress, or of the last one."""
        return dataset_address(dataset, "training")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLinks:
    """Paths relative to the folder of a dataset's pages.

    Attributes:
        compared, diffed: the pairs that have a page.
    """

    compared: Pair | None = None
    diffed: Pair | None = None
    home: str | None = None
    index: str = "../../index.html"

    def dataset(self, name: str) -> str:
        """The page of a dataset."""
        return f"../{quote(name)}/index.html"

    def report(self, dataset: str, key: str) -> str:
        """The HTML report of a run."""
        return f"../../{quote(f'evaluate/{dataset}/{key}')}/report.html"

    def compare(self, dataset: str, pair: Pair) -> str | None:
        """The comparison of two reports."""
        return f"../{quote(dataset)}/compare.html" if pair == self.compared else None

    def diff(self, dataset: str, pair: Pair) -> str | None:
        """The comparison of two corpora."""
        return f"../{quote(dataset)}/diff.html" if pair == self.diffed else None

    def ledger(self, dataset: str) -> str | None:
        """None: a search needs a program, such as `charmill explain`."""
        return None

    def training(self, dataset: str) -> str | None:
        """None: a file does not follow a training."""
        return None
