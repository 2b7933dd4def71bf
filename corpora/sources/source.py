"""What a source is: the interface that the stages use, and a base class with its defaults.

A new kind of source is one file with a subclass of `SourceModel`, and its name in `KINDS` of
`corpora/sources/__init__.py`. It must have a `kind`, `resolve`, `fetch` and `open`; everything
else has a default that suits material which may be kept, copied and shown without conditions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from corpora.document import Snapshot
from system.progress import Progress

Resolution = dict[str, str]
"""What a source held when it was resolved: name (a repository, a file) to version (a commit, a
digest). It is part of the key of a fetch, so it must be the same for the same material."""


class ItemStore(Protocol):
    """Single items that must be deletable on request, such as one video's comments.

    Attributes:
        noun: what an item is called, as "video".
        unit: plural noun for the texts of an item, as "comments".
    """

    noun: ClassVar[str]
    unit: ClassVar[str]

    def check(self, item: str) -> None:
        """Check the form of an item's id.

        Raises:
            SourceError: if no item can have this id; says what an id looks like.
        """
        ...

    def count(self, directory: Path, item: str) -> int | None:
        """Count the texts of an item in a fetched directory.

        Returns:
            None if the directory does not list the item, 0 once it has been deleted.
        """
        ...

    def is_deleted(self, directory: Path, item: str) -> bool:
        """Whether `delete` was called for an item in this directory."""
        ...

    def delete(self, directory: Path, item: str) -> None:
        """Delete the texts of an item; a `fetch` into this directory must not bring them back."""
        ...


class Source(Protocol):
    """Where the text of a dataset comes from.

    Attributes:
        is_shareable: whether fetched material, and what is derived from it, may be copied to other
            machines.
        items: what can be deleted item by item, None if nothing can.
    """

    is_shareable: ClassVar[bool]
    items: ClassVar[ItemStore | None]

    @property
    def kind(self) -> str:
        """The name of the kind in a dataset's TOML."""
        ...

    @property
    def retention(self) -> timedelta | None:
        """How long fetched material may be kept, None for no limit."""
        ...

    def resolve(self) -> Resolution:
        """Look up what the source holds now, without fetching it.

        Raises:
            SourceError: if it cannot be reached, or holds nothing.
        """
        ...

    def fetch(self, resolution: Resolution, directory: Path) -> Iterator[Progress]:
        """Bring exactly what was resolved into `directory`, resuming an interrupted fetch.

        Raises:
            SourceError: if it cannot be reached, or no longer holds what was resolved.
        """
        ...

    @property
    def is_divisible(self) -> bool:
        """Whether `parts` divides a fetch: the source has several repositories, or may have."""
        ...

    def parts(self, resolution: Resolution, directory: Path) -> Sequence[Callable[[], None]]:
        """Divide a fetch into parts that can be made in any order, on several machines.

        Each is picklable and brings one repository into `directory`, unless it is there. `fetch`
        then finds them; it also tries again what a part could not bring, and decides what becomes
        of that.

        Raises:
            SourceError: as `fetch`.
        """
        ...

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` left in `directory`, without network access."""
        ...

    def permalink(self, resolution: Mapping[str, str], source: str, path: str) -> str | None:
        """Link to one file at the resolved version.

        Args:
            source, path: as its `Entry` has them.

        Returns:
            A URL, or None if the file has no public page.
        """
        ...

    def expiry(self, directory: Path) -> datetime | None:
        """When the material in `directory` must be deleted or fetched again, None for never."""
        ...

    def model_dump(self, *, mode: str) -> dict[str, object]:
        """The fields as pydantic gives them; `parse_source` reads them back."""
        ...


class SourceModel(BaseModel):
    """A source as a frozen pydantic model that refuses unknown fields.

    Subclasses declare `kind` as a `Literal`, and implement `resolve`, `fetch` and `open`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    is_shareable: ClassVar[bool] = True
    items: ClassVar[ItemStore | None] = None

    @property
    def is_divisible(self) -> bool:
        """No."""
        return False

    def parts(self, resolution: Resolution, directory: Path) -> Sequence[Callable[[], None]]:
        """None."""
        return ()

    @property
    def retention(self) -> timedelta | None:
        """No limit."""
        return None

    def permalink(self, resolution: Mapping[str, str], source: str, path: str) -> str | None:
        """No public page."""
        return None

    def expiry(self, directory: Path) -> datetime | None:
        """Never."""
        return None
