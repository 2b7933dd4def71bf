import itertools

import pytest

from flows.cli.models import MAX_UNITS_PER_VALID, _print_valid
from flows.errors import StageError
from flows.progress import LogReporter
from flows.stages.sample import write_until
from flows.stages.table import STAGES
from flows.store.stage import execute
from modeling.errors import SamplingError
from modeling.inference.settings import SamplingSettings
from tests.flows.conftest import make_tiny


def test_units_are_printed_until_enough_are_valid_and_the_share_is_said(capsys):
    units = iter([("def a(): pass\n", True), ("def b(\n", False), ("\ndef c(): pass\n", True)])
    _print_valid(itertools.chain(units, itertools.repeat(("never", True))), 2)
    printed = capsys.readouterr()
    assert printed.out == "def a(): pass\n\ndef c(): pass\n\n"
    assert "accepted 2 of 3 units: 66.7%" in printed.err


def test_a_model_that_never_writes_a_valid_unit_is_given_up(capsys):
    with pytest.raises(StageError, match=f"only 0 of {2 * MAX_UNITS_PER_VALID:,} units were valid"):
        _print_valid(itertools.repeat(("x", False)), 2)
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    tiny = make_tiny(tmp_path_factory.mktemp("trained"))
    run, keys = tiny.run(overrides=("train.budget=60kchars", "train.model.hidden_size=48")), {}
    for stage in STAGES[:3]:
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[stage.name] = made.key
    return tiny.store.runs("train", "tiny").run(keys["train"]).folder


def test_the_same_seed_gives_the_same_units_and_a_prompt_begins_the_first(model):
    settings = SamplingSettings(length=300, temperature=0.3, prompt="def part")
    options = {"language": "python", "device": "cpu", "seed": 3}
    units = list(itertools.islice(write_until(model, settings, **options), 12))
    assert units == list(itertools.islice(write_until(model, settings, **options), 12))
    assert sum(unit.startswith("def part") for unit, _ in units) >= 6
    assert any(valid for _, valid in units)


def test_a_prompt_of_unknown_characters_is_the_users_mistake(model):
    settings = SamplingSettings(length=9, prompt="\u20ac")
    with pytest.raises(SamplingError, match="characters the model does not know"):
        next(write_until(model, settings, seed=0, language="python", device="cpu"))
