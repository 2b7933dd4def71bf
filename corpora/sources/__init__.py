"""Where text comes from: one file or folder per kind of source.

`source.py` declares what every kind has. A new kind is one file, and its name in `KINDS`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, TypeAdapter, ValidationError

from corpora.errors import SpecError
from corpora.sources.folder import FolderSource
from corpora.sources.git.source import GitSource
from corpora.sources.github.source import GithubAccountSource
from corpora.sources.source import ItemStore, Source, SourceModel
from corpora.sources.url.source import UrlSource
from corpora.sources.youtube.quota import KeyQuota, read_quota
from corpora.sources.youtube.source import YoutubeSource

KINDS: tuple[type[Source], ...] = (
    FolderSource,
    GitSource,
    GithubAccountSource,
    UrlSource,
    YoutubeSource,
)

if TYPE_CHECKING:
    AnySource = Source
else:
    AnySource = Annotated[Union[KINDS], Field(discriminator="kind")]  # noqa: UP007
"""One of KINDS, chosen by `kind`. Type checkers see the protocol, so no caller relies on a kind."""


def parse_source(fields: Mapping[str, Any]) -> Source:
    """Read a source from its fields, as `model_dump` gave them.

    Raises:
        SpecError: if they are not those of any known kind.
    """
    try:
        return TypeAdapter(AnySource).validate_python(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, ("source", *fault["loc"])))
        raise SpecError(f"{place}: {fault['msg']}") from None


__all__ = [
    "KINDS",
    "AnySource",
    "FolderSource",
    "GitSource",
    "GithubAccountSource",
    "ItemStore",
    "KeyQuota",
    "Source",
    "SourceModel",
    "UrlSource",
    "YoutubeSource",
    "parse_source",
    "read_quota",
]
