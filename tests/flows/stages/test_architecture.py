import json

from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from modeling.models import MODELS
from tests.flows.conftest import make_tiny
from tests.modeling.models.gru import CharGRU


def test_a_registered_architecture_runs_through_all_stages(tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "gru", CharGRU)
    tiny = make_tiny(tmp_path)
    overrides = ("train.model.architecture=gru", "evaluate.dynamic=true")
    run, keys = tiny.run(overrides=overrides), {}
    for stage in STAGES:
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[stage.name] = made.key
    report = tiny.store.runs("evaluate", "tiny").run(keys["evaluate"]).folder
    ladder = json.loads((report / "report.json").read_text())["ladder"]
    assert {"GRU", "GRU, dynamic evaluation"} <= {row["name"] for row in ladder}
