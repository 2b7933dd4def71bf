"""What can be the user's mistake in this package; each says in one line where and what."""


class SpecError(ValueError):
    """A dataset that does not exist, or whose TOML is wrong."""


class SourceError(ValueError):
    """A source that cannot be reached or read, or is not allowed."""


class CorpusError(ValueError):
    """A source out of which no corpus can be made."""
