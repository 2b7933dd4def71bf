import json

import pytest

from flows.errors import OptionError
from flows.options import Options
from flows.planning.init_from import pinned
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from modeling.errors import CheckpointError


def train(tiny, options):
    """Fetch, build and train; returns the manifest of the training."""
    run, keys, manifest = tiny.run(**options.model_dump(exclude_unset=True)), {}, None
    for stage in STAGES[:3]:
        inputs = stage.choose(keys)
        reporter = LogReporter()
        manifest = execute(stage, run, inputs, settings=tiny.settings, reporter=reporter)
        keys[stage.name] = manifest.key
    assert manifest
    return manifest


def test_a_fine_tuned_model_goes_on_from_the_other_and_names_it(tiny):
    first = train(tiny, Options())
    options = pinned(Options(overrides=("train.init_from=tiny",)), tiny.store)
    second = train(tiny, options)
    assert second.parameters["init_from"] == f"tiny@{first.key}"
    assert second.key != first.key
    assert second.summary["best_validation_bits"] < first.summary["best_validation_bits"]


def test_the_shape_of_the_other_model_is_taken(tiny):
    train(tiny, Options(overrides=("train.model.hidden_size=24",)))
    options = pinned(Options(overrides=("train.init_from=tiny",)), tiny.store)
    assert tiny.run(**options.model_dump()).train.model.hidden_size == 24


def test_another_shape_is_refused_in_one_line(tiny):
    train(tiny, Options())
    wanted = ("train.init_from=tiny", "train.model.hidden_size=32")
    with pytest.raises(CheckpointError, match=r"shape lstm 1x16.*this one lstm 1x32"):
        train(tiny, pinned(Options(overrides=wanted), tiny.store))


def test_pinning_twice_changes_nothing_more(tiny):
    train(tiny, Options())
    once = pinned(Options(overrides=("train.init_from=tiny",)), tiny.store)
    twice = pinned(once, tiny.store)
    runs = [tiny.run(**options.model_dump()) for options in (once, twice)]
    assert runs[0].train == runs[1].train
    assert runs[0].init_from == runs[1].init_from


def test_the_plan_names_the_model_that_training_starts_from(tiny):
    train(tiny, Options())
    options = pinned(Options(overrides=("train.init_from=tiny",)), tiny.store)
    plan = make_plan(tiny.run(**options.model_dump()), options, tiny.store)
    reasons = {decision.stage: decision.reason for decision in plan.decisions}
    assert "init_from None -> tiny@" in reasons["train"]


def test_a_model_that_is_not_there_is_refused_with_those_that_are(tiny):
    with pytest.raises(OptionError, match=r"no such model: .*; trained: none"):
        pinned(Options(overrides=("train.init_from=tiny",)), tiny.store)
    train(tiny, Options())
    with pytest.raises(OptionError, match=r"no run of train .* '0123'.*; trained: tiny"):
        pinned(Options(overrides=("train.init_from=tiny@0123",)), tiny.store)


def test_without_the_setting_the_options_are_unchanged(tiny):
    options = Options(overrides=(f"train.seed={json.dumps(3)}",))
    assert pinned(options, tiny.store) is options
