"""The page of all reports: one static HTML file with a row per dataset, the troubled ones first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.report.render import environment
from evaluation.results import Metric

State = Literal["failed", "warned", "running", "good"]
ORDER: tuple[State, ...] = ("failed", "warned", "running", "good")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """What the index says about one dataset.

    Attributes:
        state: "failed" (red): the last attempt did not end well; "warned" (amber): stale, or the
            report itself says to be careful; "running": being made now.
        notes: why it has that state, in words.
        link: to the report, relative to the page; None, like all that follows, without a report.
        bits: of the model, per character.
        gain: bits fewer than the best n-gram, negative if more.
        seconds: of all stages together.
    """

    dataset: str
    state: State
    notes: Sequence[str] = ()
    verdict: str | None = None
    link: str | None = None
    bits: float | None = None
    gain: float | None = None
    headline: str | None = None
    metric: Metric | None = None
    created: str | None = None
    seconds: float | None = None


def index_page(rows: Sequence[IndexRow], *, created: str) -> str:
    """Render the page; nothing in it is loaded from elsewhere, every string is escaped."""
    ordered = sorted(rows, key=lambda row: (ORDER.index(row.state), row.dataset))
    template = environment("index.html.j2").get_template("index.html.j2")
    return template.render(rows=ordered, created=created)
