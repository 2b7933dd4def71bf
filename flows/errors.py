"""Errors of running stages that the user can fix; each message is one line.

CharmillError
|-- OptionError
|-- StageError
|   `-- DamageError
`-- RemoteError
    `-- RemoteMisuseError
"""

from system.errors import CharmillError


class OptionError(CharmillError):
    """An option with an invalid name or value."""


class StageError(CharmillError):
    """A stage that cannot run in the current state of the store; finished stages are kept."""


class DamageError(StageError):
    """A finished run that is not as it was published: a file is missing or has changed."""


class RemoteError(CharmillError):
    """The remote store does not answer, or its contents are damaged."""


class RemoteMisuseError(RemoteError):
    """The remote store is misconfigured: no such bucket, no credentials. Retrying is pointless."""
