"""Real processes that were killed end with the same bits as an undisturbed one."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from modeling.checkpoint import load_checkpoint

SCRIPT = Path(__file__).with_name("training_process.py")
ROOT = Path(__file__).parents[3]


def start(directory):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def finish(directory):
    with start(directory) as process:
        lines = process.stdout.read().split()
    assert process.returncode == 0
    return int(lines[0])


def kill_after(directory, updates, delay):
    """Send kill -9 a given time after a number of updates; False if the process ended before."""
    with start(directory) as process:
        for _ in range(updates):
            if not process.stdout.readline():
                return False
        time.sleep(delay)
        process.kill()
    return process.returncode < 0


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    directory = tmp_path_factory.mktemp("straight")
    assert finish(directory) == 1
    return directory


def assert_same_end(directory, straight):
    one, two = load_checkpoint(directory / "end"), load_checkpoint(straight / "end")
    for name, tensor in two.tensors.items():
        assert torch.equal(one.tensors[name], tensor), name
    for name in ("model.safetensors", "config.json", "vocabulary.json"):
        first, second = (place / "model" / name for place in (directory, straight))
        assert first.read_bytes() == second.read_bytes()


def killed_and_finished(directory, rounds, generator):
    killed = sum(
        kill_after(directory, generator.randint(4, 200 // rounds), generator.random() * 0.02)
        for _ in range(rounds)
    )
    return killed, finish(directory)


def test_a_killed_run_ends_with_the_bits_of_a_straight_one(tmp_path, straight):
    killed, first_step = killed_and_finished(tmp_path, 2, random.Random(1))
    assert killed == 2
    assert first_step > 3
    assert_same_end(tmp_path, straight)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_runs_killed_many_times_end_with_the_bits_of_a_straight_one(tmp_path, straight, seed):
    killed, _ = killed_and_finished(tmp_path, 6, random.Random(seed))
    assert killed == 6
    assert_same_end(tmp_path, straight)
