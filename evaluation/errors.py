"""Errors of this package that the user can fix.

CharmillError
└── EvaluationError
    ├── ScoreError
    └── ReportError
"""

from system.errors import CharmillError


class EvaluationError(CharmillError):
    """Root of the errors of this package."""


class ScoreError(EvaluationError):
    """There is no such file or language, or the language has no units."""


class ReportError(EvaluationError):
    """A report or its evidence is missing, damaged or of another version."""
