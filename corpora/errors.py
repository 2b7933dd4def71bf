"""Errors that are the user's to fix; each message says in one line where and what."""


class SpecError(ValueError):
    """A dataset that does not exist, or whose TOML is wrong."""


class SourceError(ValueError):
    """A source that cannot be reached or read, or is not allowed."""


class CorpusError(ValueError):
    """A corpus that cannot be built from its source, or queried."""
