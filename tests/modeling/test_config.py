import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling.config import Budget, TrainConfig, train_config_from, train_config_with
from modeling.errors import ConfigError
from modeling.presets import PRESETS

amounts = st.floats(1e-3, 1e12)
budgets = st.one_of(
    amounts.map(lambda seconds: Budget(seconds=seconds)),
    st.integers(1, 10**15).map(lambda characters: Budget(characters=characters)),
    amounts.map(lambda epochs: Budget(epochs=epochs)),
)


@given(budgets)
def test_a_budget_is_read_back_from_its_text(budget):
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "budget", "canonical"),
    [
        ("90s", Budget(seconds=90), "90s"),
        ("120s", Budget(seconds=120), "2m"),
        ("1.5h", Budget(seconds=5400), "90m"),
        ("2h", Budget(seconds=7200), "2h"),
        ("2Mchars", Budget(characters=2_000_000), "2Mchars"),
        ("500kchars", Budget(characters=500_000), "500kchars"),
        ("1234chars", Budget(characters=1234), "1234chars"),
        ("3epochs", Budget(epochs=3), "3epochs"),
        ("0.5epoch", Budget(epochs=0.5), "0.5epochs"),
        ("1epoch", Budget(epochs=1), "1epoch"),
    ],
)
def test_budgets_have_a_canonical_text(text, budget, canonical):
    assert Budget.parse(text) == budget
    assert str(budget) == canonical


@pytest.mark.parametrize("text", ["", "3", "m", "-3m", "0s", "3 min", "nan s", "infs", "1e999s"])
def test_a_wrong_budget_is_answered_with_the_allowed_forms(text):
    with pytest.raises(ConfigError, match="90s, 3m, 2h, 500kchars, 2Mchars, 3epochs"):
        Budget.parse(text)


def test_a_budget_is_exactly_one_amount():
    for wrong in ({}, {"seconds": 1, "epochs": 1}, {"characters": 0}, {"seconds": float("nan")}):
        with pytest.raises(ConfigError, match="one positive amount"):
            Budget(**wrong)


def test_text_settings_replace_fields_by_dotted_keys():
    changes = {"learning_rate": "0.004", "model.hidden_size": "512", "budget": "3m"}
    config = train_config_with(TrainConfig(), changes)
    assert config.learning_rate == 0.004
    assert config.model.hidden_size == 512
    assert config.budget == Budget(seconds=180)
    assert config.model.embedding_size == TrainConfig().model.embedding_size


def test_an_unknown_setting_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'model\.hidden'; known: model\.architecture, .*seed"):
        train_config_with(TrainConfig(), {"model.hidden": "1"})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.hidden_size", "big", r"^model\.hidden_size: input should be .*, got 'big'$"),
        ("model.dropout", "1", r"^model: dropout must lie in \[0, 0\.95\], got 1\.0$"),
        ("learning_rate", "nan", r"^learning_rate must lie in .*, got nan$"),
        ("batch_size", 0, r"^batch_size must lie in \[1, 65536\], got 0$"),
        ("budget", "soon", r"^budget: budget 'soon' is none of the forms 90s"),
        ("budget", 3, r"^budget: a budget is a text such as 90s"),
    ],
)
def test_a_wrong_value_is_answered_in_one_line_that_names_the_field(key, value, message):
    with pytest.raises(ConfigError, match=message):
        train_config_with(TrainConfig(), {key: value})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    assert train_config_from(json.loads(json.dumps(PRESETS[name].to_dict()))) == PRESETS[name]


def test_every_number_of_a_training_run_has_a_range():
    for field in dataclasses.fields(TrainConfig):
        if field.name not in ("model", "budget"):
            with pytest.raises(ConfigError, match=field.name):
                train_config_with(TrainConfig(), {field.name: -1})


def test_configuration_is_read_without_torch():
    code = "import sys, modeling.presets, modeling.vocab; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
