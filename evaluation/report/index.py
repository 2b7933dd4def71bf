"""The index of all reports: one static HTML page with a row per dataset, problems first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.report.render import environment
from evaluation.results import Metric

State = Literal["failed", "warnings", "running", "good"]
ORDER: tuple[State, ...] = ("failed", "warnings", "running", "good")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """The row of one dataset.

    Attributes:
        state: "failed" (red): the last run failed; "warnings" (amber): the report is stale or has
            warnings; "running": a run is in progress.
        notes: the reasons for that state.
        page: address of the page about the dataset, None if there is none.
        link: address of the report; None, like all fields below, without a report.
        key: of the run that wrote it.
        bits: of the model, per character.
        gain: bits saved relative to the best n-gram, negative if the model needs more.
        seconds: total of all stages.
    """

    dataset: str
    state: State
    notes: Sequence[str] = ()
    page: str | None = None
    verdict: str | None = None
    link: str | None = None
    key: str | None = None
    bits: float | None = None
    gain: float | None = None
    headline: str | None = None
    metric: Metric | None = None
    created: str | None = None
    seconds: float | None = None


def index_page(rows: Sequence[IndexRow], *, created: str, home: str | None = None) -> str:
    """Render the page, which loads no external resources; every string is escaped.

    Args:
        home: address of Prefect's UI, None for a file.
    """
    ordered = sorted(rows, key=lambda row: (ORDER.index(row.state), row.dataset))
    template = environment("index.html.j2").get_template("index.html.j2")
    return template.render(rows=ordered, created=created, home=home)
