"""Run the whole pipeline, without Prefect, on texts whose true values are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.report.render import load_report
from evaluation.results import Evaluation
from evaluation.selftest.checks import DOCUMENT, SEED, Check
from evaluation.selftest.planted import MarkovSource, dyck_file
from flows.options import Options, StageName, prepare
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from system.settings import Settings

MARKOV, DYCK = "planted-markov", "planted-dyck"
TOML = """
title = "{title}"
language = "{language}"

[source]
kind = "folder"
path = "{path}"
license = "MIT"

[corpus]
extensions = ["{extension}"]
split = {{ validation = 0.1, test = 0.15 }}
text = {{ min_letters = 0 }}

[train]
"model.hidden_size" = 64
"model.embedding_size" = 16
"model.ngram_rows" = 4_096
budget = "{budget}"
validation_characters = 20_000

[sample]
temperatures = [1.0]
samples = 20
length = 2_000

[evaluate]
ngram_orders = [2, 3]
floor_order = 2
priming_characters = 1_000
"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with synthetic corpora, their dataset TOMLs, and the artifacts of all stages."""

    root: Path

    def evaluation_of(self, dataset: str, texts: list[str], **toml: str) -> Evaluation:
        """Write the texts as a dataset, run all five stages on it, and load the report."""
        folder, datasets = self.root / dataset, self.root / "datasets"
        for path in (folder, datasets):
            path.mkdir(exist_ok=True)
        for number, text in enumerate(texts):
            name = f"{number:04}{toml['extension']}"
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        path = datasets / f"{dataset}.toml"
        path.write_text(TOML.format(title=dataset, path=folder, **toml), encoding="utf-8")
        return load_report(self._run(dataset) / "report.json")

    def _run(self, dataset: str) -> Path:
        settings = Settings(
            artifacts=self.root / "artifacts", datasets=self.root / "datasets", device="cpu"
        )
        run = prepare(dataset, Options(), settings.dataset_folders)
        keys: dict[StageName, str] = {}
        for stage in STAGES:
            manifest = execute(
                stage, run, stage.choose(keys), settings=settings, reporter=LogReporter()
            )
            keys[stage.name] = manifest.key
        return settings.artifacts_root / "evaluate" / dataset / keys["evaluate"]


def pipeline_checks(root: Path) -> Iterator[Check]:
    """Run the stages on two synthetic corpora below `root`; takes about a minute.

    Args:
        root: an empty folder, which the caller removes.
    """
    workspace = Workspace(root)
    yield from _markov(workspace)
    yield from _dyck(workspace)


def _markov(workspace: Workspace) -> Iterator[Check]:
    """Compare the bits of n-grams and a network on a Markov source with its entropy."""
    generator = np.random.default_rng(SEED)
    source = MarkovSource.draw(generator)
    texts = [source.text(generator, DOCUMENT).strip() + "\n" for _ in range(100)]
    report = workspace.evaluation_of(
        MARKOV, texts, language="prose", extension=".txt", budget="1Mchars"
    )
    bits = {row.name: row.bits_per_char for row in report.ladder}
    surprisal = [value for sample in report.samples for value in sample.surprisal]
    for name, found, share in (
        ("pipeline: n-gram of matching order", bits["Kneser-Ney 3"], 0.01),
        ("pipeline: LSTM on a Markov source", bits["LSTM"], 0.03),
        ("pipeline: LSTM's bits for its own samples", float(np.mean(surprisal)), 0.05),
    ):
        yield Check(
            name=name, planted=source.entropy, found=found, tolerance=share * source.entropy
        )


def _dyck(workspace: Workspace) -> Iterator[Check]:
    """Check the control of a Dyck language, whose files are all balanced."""
    generator = np.random.default_rng(SEED)
    texts = [dyck_file(generator, 10) for _ in range(200)]
    report = workspace.evaluation_of(DYCK, texts, language="c", extension=".c", budget="30kchars")
    control = next(group for group in report.groups if group.role == "control")
    for name, key, planted in (
        ("pipeline: balanced blocks of the control", "block_balance_rate", 1.0),
        ("pipeline: crossed brackets of the control", "nesting_mismatches_per_kb", 0.0),
    ):
        value = control.metrics[key].value
        yield Check(name=name, planted=planted, found=float("nan") if value is None else value)
