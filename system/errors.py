"""The root of every error that is the user's to mend.

charmill ends in one line and exit status 2 for these, and for nothing else: any other exception is
a fault of charmill's own and keeps its traceback. Each package declares its own below this one, at
the head of its `errors.py`.
"""


class CharmillError(Exception):
    """Bad input, or a world that does not answer: what, where, and what is allowed."""
