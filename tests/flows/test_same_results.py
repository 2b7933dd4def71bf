"""Published files stay byte for byte the same: their digests were recorded, and are compared.

The corpus has the same digests on every machine. Weights, samples and scores depend on how a
processor, its compiler and torch round. So their digests are compared only where the same ones
computed the record; elsewhere their numbers are compared within a tolerance.
`python -m tests.flows.test_same_results` renews the record: only together with a change that
intentionally changes what is published, and its line in the changelog.
"""

import hashlib
import json
import platform
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from corpora.spec import dataset_files
from flows.options import Options, prepare
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.manifest import Manifest
from flows.store.runs import Store
from flows.store.stage import execute
from modeling.device import processor_name
from modeling.engines import race
from modeling.native import compilation
from tests.flows.conftest import Tiny, make_tiny

RECORD = Path(__file__).with_name("same_results.json")
CORPUS = ("documents-00000.parquet", "ledger.parquet", "vocabulary.json", "summary.json")
TIMES = {"seconds", "characters_per_second"}
OPTIONS = Options(
    overrides=("train.precision=float32", "sample.temperatures=[0.5,1.0]", "evaluate.dynamic=true")
)
ENGINES = ("kernel", "torch")
Digests = dict[str, str]


def folders(tiny: Tiny) -> Mapping[str, Path]:
    """Run all stages in this process; returns the folder that each published."""
    run = prepare("tiny", OPTIONS, tiny.settings.dataset_folders)
    keys: dict[Any, str] = {}
    for stage in STAGES:
        made = execute(
            stage, run, stage.choose(keys), settings=tiny.settings, reporter=LogReporter()
        )
        keys[stage.name] = made.key
    store = Store(tiny.settings.artifacts_root)
    return {stage: store.runs(stage, "tiny").run(key).folder for stage, key in keys.items()}


def corpus_digests(folder: Path) -> Digests:
    """Digests of the files of a corpus; of Parquet the table only: its metadata has versions."""
    return {name: _of_file(folder / name) for name in CORPUS}


def computed_digests(made: Mapping[str, Path]) -> Digests:
    """Digests of computed files: weights, learning curve, samples, metrics and evidence."""
    curve = pq.read_table(made["train"] / "metrics.parquet")
    report = _report(made)
    evidence = ("documents.parquet", "texts.parquet")
    return {
        "weights": _of_file(made["train"] / "model.safetensors"),
        "learning curve": _of_table(curve.drop_columns(sorted(TIMES))),
        "samples": _of_file(made["sample"] / "samples.parquet"),
        "metrics": _digest(json.dumps([report["ladder"], report["groups"]]).encode()),
        **{name: _of_file(made["evaluate"] / name) for name in evidence},
    }


def bits(made: Mapping[str, Path]) -> dict[str, float]:
    """Bits per character of every row of the report's ladder."""
    return {row["name"]: row["bits_per_char"] for row in _report(made)["ladder"]}


def computer() -> str:
    """Everything that determines how numbers are rounded on this machine."""
    compiler = compilation._run(["cc", "--version"]).splitlines()[0]
    processor = f"{processor_name()}, {platform.machine()} {_digest(compilation._processor())}"
    return f"{processor}, torch {torch.__version__}, {compiler}"


def keys() -> Digests:
    """A digest of the keys that all stages of each dataset have for the same inputs."""
    return {name: _digest(json.dumps(list(_keys(name))).encode()) for name in dataset_files(())}


def _keys(dataset: str) -> Iterator[str]:
    run = prepare(dataset, Options())
    for stage in STAGES[1:]:
        yield stage.digest(run, dict.fromkeys(stage.inputs, "0" * 16))


def _report(made: Mapping[str, Path]) -> dict[str, Any]:
    return json.loads((made["evaluate"] / "report.json").read_text(encoding="utf-8"))


def _of_table(table: pa.Table) -> str:
    return _digest(json.dumps(table.to_pylist()).encode())


def _of_file(path: Path) -> str:
    if path.suffix == ".parquet":
        return _of_table(pq.read_table(path))
    return _digest(path.read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def one_engine(patch: pytest.MonkeyPatch, engine: str) -> None:
    """Select one engine without a race."""
    every = race._candidates

    def chosen(*arguments: Any) -> list[race.Engine]:
        wanted = [one for one in every(*arguments) if one.native == (engine == "kernel")]
        return wanted or pytest.skip("no native kernel here")

    patch.setattr(race, "_candidates", chosen)


@pytest.fixture(scope="module", params=ENGINES)
def made(request, tmp_path_factory) -> Iterator[tuple[str, Mapping[str, Path]]]:
    with pytest.MonkeyPatch.context() as patch:
        one_engine(patch, request.param)
        yield request.param, folders(make_tiny(tmp_path_factory.mktemp("same")))


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_keys_of_all_datasets_are_those_recorded(recorded):
    """A changed key would make every user's store stale."""
    assert keys() == recorded["keys"]


def test_the_corpus_is_the_one_recorded(made, recorded):
    assert corpus_digests(made[1]["corpus"]) == recorded["corpus"]


def test_bits_are_close_to_those_recorded(made, recorded):
    engine, folders = made
    assert bits(folders) == pytest.approx(recorded["bits"][engine], abs=0.02)


def test_weights_samples_and_metrics_are_those_recorded(made, recorded):
    engine, folders = made
    if computer() != recorded["computer"]:
        pytest.skip(f"recorded on another computer: {recorded['computer']}")
    assert computed_digests(folders) == recorded["computed"][engine]


def test_the_duration_of_a_report_is_that_of_all_stages(made):
    manifests = [Manifest.load(folder) for folder in made[1].values()]
    before = sum(m.seconds for m in manifests if m.stage != "evaluate")
    (report,) = (m for m in manifests if m.stage == "evaluate")
    assert before < report.summary["seconds_in_all"] <= before + report.seconds


def record() -> None:
    """Write the record of this computer."""
    found: dict[str, Any] = {"computer": computer(), "keys": keys(), "bits": {}, "computed": {}}
    for engine in ENGINES:
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
            one_engine(patch, engine)
            made = folders(make_tiny(Path(home)))
            found["corpus"] = corpus_digests(made["corpus"])
            found["bits"][engine] = bits(made)
            found["computed"][engine] = computed_digests(made)
    RECORD.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    record()
