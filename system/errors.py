"""The root of all errors that the user can fix.

The command line prints a CharmillError as one line and exits with status 2. Any other exception is
a bug: it keeps its traceback, and the exit status is 1. Each package declares its errors in its own
`errors.py`, whose first lines show the tree:

    CharmillError
    |-- SettingsError      system/errors.py
    |-- SpecError, ...     corpora/errors.py
    |-- ModelingError      modeling/errors.py
    |-- ScoreError         evaluation/errors.py
    |-- OptionError, ...   flows/errors.py
"""

from system.display import shown


class CharmillError(Exception):
    """Invalid input or an unavailable resource: one line with where, what and what is allowed.

    The message is safe to show and to store: secrets in URLs are masked, control characters are
    escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class SettingsError(CharmillError):
    """An environment variable with an invalid value."""
