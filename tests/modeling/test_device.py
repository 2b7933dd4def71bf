import os
import subprocess
import sys

import pytest
import torch

from modeling.device import choose_device, describe_device, free_bytes
from modeling.errors import DeviceError


def test_auto_takes_a_device_that_computes():
    device = choose_device("auto")
    assert torch.ones(2, device=device).sum().item() == 2


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "mps:1", ""])
def test_an_unknown_device_is_answered_with_the_known_forms(name):
    with pytest.raises(DeviceError, match="known: auto, cpu, cuda, cuda:N, mps"):
        choose_device(name)


def test_a_device_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(DeviceError, match=r"no device 'cuda:99' here; this machine has: .*cpu"):
        choose_device("cuda:99")


def test_the_processor_is_described_with_its_threads():
    description = describe_device(torch.device("cpu"))
    number = torch.get_num_threads()
    assert description.endswith(", 1 thread" if number == 1 else f", {number} threads")
    assert not description.startswith(",")


def test_free_memory_is_less_than_the_machine_has():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < free_bytes(torch.device("cpu")) < total


def test_threads_are_told_to_sleep_before_torch_is_loaded():
    code = (
        "import modeling, os, sys; assert 'torch' not in sys.modules;"
        "print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    )
    free = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    for given, expected in (({}, "PASSIVE 0"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE 0")):
        run = subprocess.run(
            [sys.executable, "-c", code], env=free | given, capture_output=True, check=True
        )
        assert run.stdout.decode().strip() == expected
