"""A dataset so small that all five stages take seconds."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.options import Options, Run, prepare
from flows.store.runs import Store
from system.settings import Settings

TOML = """
title = "Tiny functions"
language = "python"

[source]
kind = "folder"
path = "{folder}"
license = "MIT"

[corpus]
near_duplicates = "ignore"
extensions = [".py"]
split = {{ validation = 0.15, test = 0.15 }}

[train]
"model.hidden_size" = 16
"model.embedding_size" = 8
"model.ngram_rows" = 500
"model.ngram_dropout" = 0
budget = "12kchars"
batch_size = 4
chunk_length = 16
min_count = 1
checkpoint_seconds = 0
validation_characters = 400

[sample]
temperatures = [0.8]
samples = 2
length = 200

[evaluate]
ngram_orders = [2, 3]
floor_order = 2
control_windows = 4
"""


@dataclass(frozen=True)
class Tiny:
    """A user's folder with one dataset, and the settings for its outputs."""

    folder: Path
    toml: Path
    settings: Settings

    @property
    def store(self) -> Store:
        return Store(self.settings.artifacts_root)

    def run(self, **options) -> Run:
        return prepare("tiny", Options(**options), self.settings.dataset_folders)

    def environment(self) -> dict[str, str]:
        return {
            "CHARMILL_ARTIFACTS": str(self.settings.artifacts),
            "CHARMILL_DATASETS": str(self.settings.datasets),
            "CHARMILL_DEVICE": "cpu",
        }


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """Make the dataset `tiny`, and settings that include it."""
    return make_tiny(tmp_path)


def make_tiny(home: Path) -> Tiny:
    """Make the dataset `tiny` in a folder."""
    folder, datasets = home / "code", home / "datasets"
    folder.mkdir()
    datasets.mkdir()
    random_source = random.Random(7)
    for number in range(60):
        (folder / f"part{number}.py").write_text(_function(number, random_source))
    toml = datasets / "tiny.toml"
    toml.write_text(TOML.format(folder=folder))
    settings = Settings(artifacts=home / "artifacts", datasets=datasets, device="cpu")
    return Tiny(folder=folder, toml=toml, settings=settings)


def _function(number: int, source: random.Random) -> str:
    lines = [f"    x{i} = (a + {source.randrange(99)}) * [b][0]" for i in range(6)]
    return "\n".join([f"def part{number}(a, b):", *lines, "    return x0", "", ""])
