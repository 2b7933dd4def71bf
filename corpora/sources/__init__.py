"""One file per kind of source; the union below discriminates on `kind`.

A source is a frozen pydantic model with three methods: `resolve()` says what is there now (a
commit, a digest), cheaply; `fetch(resolution, directory)` brings exactly that into `directory`,
yielding progress; `open(directory)` gives the Snapshot that the corpus is built from.
"""

from typing import Annotated

from pydantic import Field

from corpora.sources.folder import FolderSource
from corpora.sources.git.source import GitSource
from corpora.sources.github.source import GithubAccountSource
from corpora.sources.url.source import UrlSource
from corpora.sources.youtube.source import YoutubeSource

Source = Annotated[
    FolderSource | GitSource | GithubAccountSource | UrlSource | YoutubeSource,
    Field(discriminator="kind"),
]

__all__ = [
    "FolderSource",
    "GitSource",
    "GithubAccountSource",
    "Source",
    "UrlSource",
    "YoutubeSource",
]
