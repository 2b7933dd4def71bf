"""One of several processes that train together, started by torchrun on a folder with a config."""

import json
import sys
from pathlib import Path

import torch
from torch import distributed

from modeling.config import train_config_from
from modeling.engines.distributed import Group, leave
from modeling.training.job import TrainingJob
from modeling.training.session import Session
from tests.modeling.texts import documents, vocabulary


def main(directory: Path, stop_after: int) -> None:
    """Train `directory`/config.json, up to `stop_after` updates if that is not 0."""
    import numpy as np

    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    config = train_config_from(json.loads((directory / "task.json").read_text()))
    job = TrainingJob(
        config=config,
        vocabulary=vocabulary(),
        stream=np.concatenate(documents()),
        validation=documents()[:4],
    )
    session = Session(directory, job, torch.device("cpu"), group=Group.joined())
    steps = 0
    for progress in session.run(lambda: bool(stop_after) and session.trainer.totals.step > 5):
        steps = progress.step
    (directory / f"steps-{distributed.get_rank()}").write_text(str(steps))
    leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
