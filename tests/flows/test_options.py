import pytest

from corpora.errors import SpecError
from flows.errors import OptionError
from flows.options import Options, parse_overrides, prepare


def test_settings_are_layered_preset_toml_overrides_budget(tiny):
    run = tiny.run(preset="base", budget="7s", overrides=("train.learning_rate=0.001",))
    assert run.train.model.hidden_size == 16
    assert run.train.learning_rate == 0.001
    assert run.train.budget.seconds == 7
    assert run.sample.length == 200


def test_settings_of_the_model_may_be_a_table_of_the_toml(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\nlanguage = "prose"\nsource = { kind = "folder", path = "~" }\n'
        'corpus = { extensions = [".txt"] }\n[train.model]\nhidden_size = 24\ndropout = 0.5\n'
    )
    model = prepare("mine", Options(), [tmp_path]).train.model
    assert (model.hidden_size, model.dropout) == (24, 0.5)
    overrides = ("train.model.hidden_size=32",)
    model = prepare("mine", Options(overrides=overrides), [tmp_path]).train.model
    assert (model.hidden_size, model.dropout) == (32, 0.5)


def test_overrides_become_nested_values():
    texts = ("corpus.split.test=0.2", "train.model.dropout=0.5", "sample.temperatures=[1, 2]")
    assert parse_overrides(texts) == {
        "corpus": {"split": {"test": 0.2}},
        "train": {"model.dropout": 0.5},
        "sample": {"temperatures": [1, 2]},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, "no preset 'huge'; known: smoke, smoke-small, small, base, large"),
        ({"budget": "soon"}, "train: .*budget 'soon' is none of the forms 90s"),
        ({"start": "train", "only": "train"}, "--from and --only exclude each other"),
        ({"overrides": ("train.learnin_rate=1",)}, "train: unknown setting 'learnin_rate'"),
        ({"overrides": ("train.model.architecture=rnn",)}, "train: .* 'rnn'; known: lstm"),
        ({"overrides": ("train.seed=x",)}, "train: seed: .*got 'x'"),
        ({"overrides": ("sample.length=1",)}, "sample.length: .*given: 1"),
        ({"overrides": ("evaluate.orders=1",)}, "evaluate.orders: Extra inputs"),
        ({"overrides": ("seed=1",)}, "expected SECTION.KEY=VALUE with SECTION one of source"),
        ({"overrides": ("tune.seed=1",)}, "expected SECTION.KEY=VALUE"),
    ],
)
def test_wrong_options_are_one_line_that_says_what_is_allowed(tiny, options, message):
    with pytest.raises(OptionError, match=message) as caught:
        tiny.run(**options)
    assert "\n" not in str(caught.value)


def test_a_wrong_override_of_the_dataset_names_the_file(tiny):
    with pytest.raises(SpecError, match=r"tiny.toml: corpus.max_bytes: .*given: -1"):
        tiny.run(overrides=("corpus.max_bytes=-1",))


def test_every_dataset_that_ships_can_be_prepared():
    from corpora.spec import dataset_files

    for name in dataset_files([]):
        assert prepare(name, Options()).train.budget


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 2_000, "{a=" * 2_000])
def test_a_value_that_the_parser_cannot_hold_is_a_text(value):
    assert parse_overrides([f"corpus.max_bytes={value}"]) == {"corpus": {"max_bytes": value}}
