"""Finished runs of all stages, which a test may damage."""

import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flows.stages.table import STAGES
from tests.flows.conftest import Tiny, make_tiny
from tests.flows.planning.test_plan import make

TIMES = itertools.count(10**18, 10**9)


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Tiny:
    """The dataset `tiny` with all of its stages."""
    tiny = make_tiny(tmp_path_factory.mktemp("home"))
    make(tiny, *(stage.name for stage in STAGES))
    return tiny


@pytest.fixture
def done(template, tmp_path) -> Tiny:
    """The template with a copy of its artifacts, which a test may damage."""
    root = tmp_path / "artifacts"
    shutil.copytree(template.store.root, root, symlinks=True)
    return replace(template, settings=template.settings.model_copy(update={"artifacts": root}))


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file, which then has another time."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    now = next(TIMES)
    os.utime(path, ns=(now, now))
