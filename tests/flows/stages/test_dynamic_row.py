import json

import pytest

from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute


def ladder(tiny, **options):
    run, keys, folder = tiny.run(**options), {}, None
    for stage in STAGES:
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[stage.name] = made.key
        folder = tiny.store.runs(stage.name, "tiny").run(made.key).folder
    rows = json.loads((folder / "report.json").read_text())["ladder"]
    return {row["name"]: row for row in rows}


@pytest.mark.slow  # seven seconds: all stages, and training while it scores
def test_dynamic_evaluation_stands_among_the_rivals_that_adapt_where_it_is_asked_for(tiny):
    rows = ladder(tiny, overrides=("evaluate.dynamic=true",))
    adapting, fixed = rows["LSTM, dynamic evaluation"], rows["LSTM"]
    assert adapting["kind"] == "adaptive"
    assert 0 < adapting["bits_per_char"] != fixed["bits_per_char"]
    assert adapting["interval"][0] < adapting["bits_per_char"] < adapting["interval"][1]
    mixed = rows["LSTM, dynamic evaluation, context mixing"]
    assert mixed["kind"] == "adaptive"
    assert mixed["bits_per_char"] < adapting["bits_per_char"]
    assert not any("dynamic" in name for name in ladder(tiny))
