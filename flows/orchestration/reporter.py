"""Progress of a run that Prefect started: log lines, and a progress bar in the UI."""

import logging
import time
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.progress import LogReporter
from flows.reporting.addresses import are_served, dataset_address
from system.clock import duration
from system.markdown import markdown
from system.progress import Progress

logger = logging.getLogger(__name__)
UPDATE_SECONDS = 5.0
"""Interval of updates; a shorter stage has no bar."""


class RunReporter(LogReporter):
    """Logs, and shows a progress bar in the UI for a stage that takes long."""

    def __init__(self, dataset: str) -> None:
        super().__init__()
        self._key = f"progress-{dataset}"
        self._stage = self._link = ""
        self._bar: UUID | None = None
        self._due = 0.0

    def started(self, stage: str, dataset: str) -> None:
        """Log the start; the bar appears with the first update that is due."""
        super().started(stage, dataset)
        self._stage, self._bar = stage, None
        is_followed = stage == "train" and are_served()
        curve = dataset_address(dataset, "training")
        self._link = f", [learning curve]({curve})" if is_followed else ""
        self._due = time.monotonic() + UPDATE_SECONDS

    def update(self, update: Progress) -> None:
        """Log progress, and update the bar."""
        super().update(update)
        if update.fraction is not None and time.monotonic() >= self._due:
            self._show(100 * update.fraction, update.text)
            self._due = time.monotonic() + UPDATE_SECONDS

    def finished(self, stage: str, dataset: str, *, key: str, seconds: float | None) -> None:
        """Log the end, and complete the bar."""
        super().finished(stage, dataset, key=key, seconds=seconds)
        if self._bar is not None:
            self._show(100.0, f"done in {duration(seconds or 0)}")

    def _show(self, percent: float, text: str) -> None:
        """Create or update the bar. A short outage of the server must not end a training."""
        words = f"{self._stage}: {markdown(text)}{self._link}"
        try:
            if self._bar is None:
                artifact = create_progress_artifact(percent, key=self._key, description=words)
                assert not hasattr(artifact, "__await__")
                self._bar = artifact  # pyright: ignore[reportAttributeAccessIssue]
            else:
                update_progress_artifact(self._bar, progress=percent, description=words)
        except httpx.HTTPError as error:
            logger.warning("progress is not shown: %s", error)
