"""Errors of evaluation that the user can fix; each message is one line.

CharmillError
`-- ScoreError
"""

from system.errors import CharmillError


class ScoreError(CharmillError):
    """Something that cannot be scored: no such file, or no such language."""
