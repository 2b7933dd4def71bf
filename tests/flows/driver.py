"""Run the stages of `tiny` without Prefect; can kill -9 itself in the middle of one.

    python -m tests.flows.driver [STAGE COUNT]

kills the process at the COUNT-th progress report of STAGE.
"""

import os
import signal
import sys

from flows.options import Options, prepare
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.runs import Store
from flows.store.stage import execute
from system.progress import Progress
from system.settings import Settings


class Suicidal(LogReporter):
    """Counts the progress reports of one stage, and kills the process at a given count."""

    def __init__(self, stage: str, count: int) -> None:
        super().__init__()
        self.stage, self.left, self.at_work = stage, count, ""

    def started(self, stage: str, dataset: str) -> None:
        self.at_work = stage

    def update(self, update: Progress) -> None:
        if self.at_work == self.stage:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    stage, count = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else ("", 0)
    settings, options = Settings(), Options()
    run = prepare("tiny", options, settings.dataset_folders)
    plan = make_plan(run, options, Store(settings.artifacts_root))
    reporter, keys = Suicidal(stage, count), {}
    for decision, one in zip(plan.decisions, STAGES, strict=True):
        inputs = one.choose(keys)
        made = execute(one, run, inputs, settings=settings, reporter=reporter)
        keys[decision.stage] = made.key


if __name__ == "__main__":
    main()
