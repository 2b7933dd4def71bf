"""What can be the user's mistake in this package; it says in one line where and what."""


class ScoreError(ValueError):
    """Something that cannot be scored: no such file, no such language."""
