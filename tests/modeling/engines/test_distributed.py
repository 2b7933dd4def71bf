"""Two processes train like one process with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modeling.checkpoint import load_checkpoint
from modeling.config import train_config_with
from modeling.engines.distributed import Group
from modeling.errors import TextError
from modeling.training.session import CHECKPOINTS
from tests.processes import DEADLINE_SECONDS

ROOT = Path(__file__).parents[3]
PROCESS = ("-m", "tests.modeling.engines.distributed_process")
NO_DROPOUT = {"model.dropout": 0, "model.ngram_dropout": 0}


@pytest.fixture
def train(tmp_path, config):
    """Train in this number of processes, in a folder of that name; returns the folder."""

    def train(name, processes, *, stop_after=0, **changes):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        changed = train_config_with(config, {"checkpoint_seconds": 0} | changes)
        (directory / "task.json").write_text(json.dumps(changed.to_dict()))
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        done = subprocess.run(
            [sys.executable, *launcher, *PROCESS, str(directory), str(stop_after)],
            check=False,
            cwd=ROOT,
            env=os.environ | {"CHARMILL_NATIVE": "0"},
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return directory

    return train


def assert_close(first, second):
    one, two = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        torch.testing.assert_close(weight, two[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("streams", [4, 3])
def test_two_processes_end_with_the_weights_of_one(train, streams):
    one = train("one", 1, batch_size=streams, **NO_DROPOUT)
    two = train("two", 2, batch_size=streams, **NO_DROPOUT)
    assert_close(one, two)
    assert (two / "steps-0").read_text() == (two / "steps-1").read_text()
    assert (two / "metrics.parquet").exists()


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_is_gone_on_with_by_one(train):
    whole = train("whole", 1, **NO_DROPOUT)
    folder = train("half", 2, stop_after=1, **NO_DROPOUT)
    checkpoint = load_checkpoint(folder / CHECKPOINTS)
    assert checkpoint.tensors["state.hidden"].shape[1] == 4
    assert not (folder / "model.safetensors").exists()
    alone = load_checkpoint(train("alone", 1, stop_after=1, **NO_DROPOUT) / CHECKPOINTS)
    for name, tensor in alone.tensors.items():
        torch.testing.assert_close(checkpoint.tensors[name], tensor, rtol=1e-3, atol=1e-5)
    assert_close(whole, train("half", 1, **NO_DROPOUT))


def test_streams_are_shared_out_without_gap_or_overlap():
    for size, streams in ((1, 5), (2, 5), (3, 7), (4, 8)):
        taken = [
            row for rank in range(size) for row in range(streams)[Group(rank, size).rows(streams)]
        ]
        assert taken == list(range(streams))


def test_a_process_without_a_stream_is_refused():
    with pytest.raises(TextError, match="leaves some of 4 processes without a stream"):
        Group(0, 4).check(3)
    with pytest.raises(TextError, match="leaves some of 4"):
        Group(0, 4).check(5)
    Group(0, 4).check(7)
