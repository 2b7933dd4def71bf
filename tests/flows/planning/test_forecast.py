import json

import pytest

from flows.options import Options
from flows.planning.forecast import forecast, forecast_lines
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from tests.flows.cli.test_main import charmill


@pytest.fixture
def foretell(tiny, monkeypatch):
    monkeypatch.setattr("modeling.training.throughput.HIDDEN_SIZES", (8, 16))

    def foretell(**options):
        run = tiny.run(**options)
        return forecast(run, make_plan(run, Options(**options), tiny.store), tiny.settings)

    return foretell


def build(tiny):
    run, keys = tiny.run(), {}
    for stage in STAGES[:2]:
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[stage.name] = made.key


def test_a_budget_of_characters_becomes_a_time_and_epochs_of_the_corpus(tiny, foretell):
    build(tiny)
    found = foretell(budget="50kchars")
    assert found.characters == 50_000
    assert found.seconds == pytest.approx(50_000 / found.characters_per_second)
    assert found.corpus_characters
    assert found.epochs == pytest.approx(50_000 / found.corpus_characters)
    assert found.best_hidden_size in (8, 16)


def test_a_budget_of_time_becomes_characters(tiny, foretell):
    build(tiny)
    found = foretell(budget="2s")
    assert found.characters == int(2 * found.characters_per_second)
    assert any("epochs" in line for line in forecast_lines(found))


def test_epochs_of_a_corpus_that_is_not_built_yet_are_not_guessed(foretell):
    found = foretell(budget="3epochs")
    assert found.seconds is found.characters is found.best_hidden_size is found.epochs is None
    assert "not built yet" in list(forecast_lines(found))[1]


@pytest.mark.slow  # measures the speed of every size of model
def test_the_command_prints_one_json_object_and_runs_nothing(tiny):
    done = charmill(tiny, "plan", "tiny", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [stage["action"] for stage in plan["stages"]] == ["run"] * 5
    assert plan["training"]["characters"] == 12_000
    assert not tiny.settings.artifacts.exists()
