import pytest
import torch

import flows.api as charmill
from evaluation.errors import ScoreError
from flows.api import Model
from flows.api.columns import SAMPLES, SCORES
from modeling.checkpoint import save_model
from modeling.config import ModelConfig, TrainConfig
from modeling.errors import ModelFileError, SamplingError
from modeling.models import build_model
from modeling.vocab import Vocabulary

VOCABULARY = Vocabulary(tuple("\n ()=abdefx:"))
GOOD = "def f(a):\n    return a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained model."""
    path = tmp_path_factory.mktemp("model")
    config = TrainConfig(model=ModelConfig(hidden_size=8, embedding_size=4, ngram_rows=16))
    torch.manual_seed(1)
    save_model(path, config, VOCABULARY, build_model(config.model, VOCABULARY.size))
    return path


@pytest.fixture
def model(folder) -> Model:
    return Model.load(folder, "cpu")


def test_a_sample_continues_its_prompt_and_a_seed_gives_the_same_text(model):
    text = model.sample("def ", length=50, seed=3)
    assert text.startswith("def ")
    assert len(text) == 54
    assert model.sample("def ", length=50, seed=3) == text
    assert model.sample("def ", length=50, seed=4) != text


def test_samples_are_a_frame_with_the_bits_that_the_model_gives_them(model):
    found = model.samples(seeds=(3, 4), temperatures=(0.5, 1.0), length=40)
    assert {str(name): str(dtype) for name, dtype in found.dtypes.items()} == {
        one.name: str(one.dtype) for one in SAMPLES
    }
    assert found["seed"].tolist() == [3, 4, 3, 4]
    row = found.iloc[2]
    assert row["text"] == model.sample(length=40, temperature=1.0, seed=3)
    assert row["bits_per_char"] == pytest.approx(model.surprisal(row["text"]).mean(), abs=1e-4)


def test_every_character_is_charged_also_an_unknown_one(model):
    bits = model.surprisal("ab\u6587\ud800")
    assert bits.shape == (4,)
    assert bits.min() > 0
    assert bits[2] > 16
    assert model.surprisal("").shape == (0,)


def test_mistakes_are_one_line(model, tmp_path):
    with pytest.raises(SamplingError, match="characters the model does not know: '\u6587'"):
        model.sample("\u6587")
    with pytest.raises(SamplingError, match="temperature must lie in"):
        model.sample(temperature=-1)
    with pytest.raises(SamplingError, match="seeds must be given"):
        model.samples(seeds=())
    with pytest.raises(ModelFileError, match="not a complete model"):
        Model.load(tmp_path, "cpu")
    with pytest.raises(ScoreError, match="no language 'cobol'; known: python"):
        charmill.score("x", "cobol")


def test_score_gives_each_metric_over_all_texts():
    found = charmill.score([GOOD * 2, "def f(:\n    x\n"], "python", whole=True)
    assert {str(name): str(dtype) for name, dtype in found.dtypes.items()} == {
        one.name: str(one.dtype) for one in SCORES
    }
    by_metric = found.set_index("metric")
    assert by_metric.loc["file_parse_rate", "value"] == 0.5
    assert by_metric.loc["function_parse_rate", "n"] == 3
    assert by_metric.loc["function_parse_rate", "value"] == pytest.approx(2 / 3)


@pytest.mark.slow  # starts a process
def test_a_sample_begins_a_file_and_its_end_is_cut():
    found = charmill.score(f"{GOOD}\uffff{GOOD}\uffffdef g(", "python").set_index("metric")
    assert found.loc["function_parse_rate", "n"] == 2
    assert found.loc["file_parse_rate", "value"] == 1


@pytest.mark.slow  # starts processes
@pytest.mark.parametrize("texts", [[], "", ["", "\ud800 = 1"]])
def test_empty_and_broken_texts_can_be_scored(texts):
    found = charmill.score(texts, "python")
    assert {one.name for one in SCORES} == set(found)
