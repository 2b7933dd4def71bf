"""Errors of datasets, sources and corpora that the user can fix; each message is one line.

CharmillError
|-- SpecError
|-- SourceError
|   |-- GitError                sources/git/process.py
|   |-- TransientDownloadError  sources/url/download.py
|   |-- CallError               sources/youtube/api.py
|   |   `-- TransientCallError
|   `-- QuotaError              sources/youtube/quota.py
`-- CorpusError
"""

from system.errors import CharmillError


class SpecError(CharmillError):
    """A dataset that does not exist, or whose TOML is invalid."""


class SourceError(CharmillError):
    """A source that cannot be reached or read, or that is not allowed."""


class CorpusError(CharmillError):
    """A corpus that cannot be built from its source, or queried."""
