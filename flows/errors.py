"""What can go wrong in this package by the user's doing."""


class StageError(ValueError):
    """A stage that cannot be run as things are; nothing that was finished is lost."""


class OptionError(ValueError):
    """An option that has no such value."""


class RemoteError(OSError):
    """The remote store does not answer, or holds what it should not."""


class RemoteMisuseError(RemoteError):
    """The remote store is not set up: no such bucket, no credentials. Another try is no use."""
