"""For tests of the native kernel: with a compiler they must run and pass."""

import logging
import os
import shlex
import shutil

import pytest
import torch

from modeling.engines.engine import torch_trains_in_bfloat16
from modeling.models import build_model
from modeling.models.lstm import LSTMStepper
from modeling.native import library as module
from modeling.native.library import library

_NAME = shlex.split(os.environ.get("CC", "cc"))[0]

needs_compiler = pytest.mark.skipif(shutil.which(_NAME) is None, reason=f"no compiler {_NAME}")


def warnings(caplog):
    """The log lines that the user sees when the kernel is requested twice."""
    caplog.clear()
    library(), library()
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def assert_torch_computes(caplog, reason, config, vocabulary):
    assert library() is None
    module._loaded.cache_clear()
    (line,) = warnings(caplog)
    assert reason in line
    assert "CHARMILL_NATIVE=0" in line
    assert line.isprintable()
    assert isinstance(build_model(config.model, vocabulary.size).stepper(1), LSTMStepper)


def libraries(folder):
    return sorted(folder.glob("*.so"))


def skip_without_bfloat16() -> None:
    """Skip a test where nothing trains in bfloat16 on the CPU."""
    if library() is None and not torch_trains_in_bfloat16("lstm", torch.device("cpu")):
        pytest.skip("neither the kernel nor torch computes in bfloat16 here")
