"""The funnel of a corpus: what each rule took of the source, in order, and what was left."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """What one rule took away, and what is left after it.

    Attributes:
        reason: the name of the rule, as it stands in the ledger.
    """

    reason: str
    files_dropped: int
    bytes_dropped: int
    files_left: int
    bytes_left: int
