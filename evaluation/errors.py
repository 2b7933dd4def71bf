"""Errors of this package that the user can fix.

CharmillError
└── EvaluationError
    ├── ScoreError  no such file or language, or a language without units
    └── ReportError a report or its evidence that is missing, damaged or of another version
"""

from system.errors import CharmillError


class EvaluationError(CharmillError):
    """Root of the errors of this package."""


class ScoreError(EvaluationError):
    """Something cannot be scored: there is no such file or no such language."""


class ReportError(EvaluationError):
    """A report or the evidence of an evaluation cannot be read."""
