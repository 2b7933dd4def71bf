import itertools

import numpy as np
import pytest
import torch

from modeling.errors import SamplingError
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.vocab import FILE_MARK, MARK_ID, UNKNOWN_ID
from tests.modeling.gpu import DEVICES


@pytest.fixture(autouse=True, params=["kernel", "torch", *DEVICES[1:]])
def engine(request, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", str(int(request.param == "kernel")))
    return request.param


@pytest.fixture
def model(model, engine):
    return model.to("cuda") if engine == "cuda" else model


def following(model, ids):
    """Logits of the next character after ids, from the model's forward pass."""
    ids = torch.from_numpy(np.array([ids], np.int64)).to(model.output.weight.device)
    return model(ids)[0][0, -1].detach().cpu()


def texts(model, vocabulary, seeds, **settings):
    return np.concatenate(list(blocks_of(model, vocabulary, seeds, **settings)), axis=1)


def blocks_of(model, vocabulary, seeds, **settings):
    options = {
        name: settings.pop(name) for name in ("block_length", "max_noise") if name in settings
    }
    return sample(model, vocabulary, seeds, SamplingSettings(**settings), **options)


def test_the_same_seed_gives_the_same_text_again(model, vocabulary):
    one, two = (texts(model, vocabulary, seeds=[3, 2**63 - 1], length=100) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one[0], one[1])


def test_very_many_ids_and_streams_are_written_in_shorter_blocks(model, vocabulary):
    options = {"seeds": [1, 2, 3], "length": 20}
    whole = texts(model, vocabulary, **options)
    blocks = list(blocks_of(model, vocabulary, **options, max_noise=3 * vocabulary.size * 7))
    assert [block.shape[1] for block in blocks] == [7, 7, 6]
    assert np.array_equal(np.concatenate(blocks, axis=1), whole)


def test_blocks_have_the_length_asked_for_and_do_not_change_the_text(model, vocabulary):
    whole = texts(model, vocabulary, seeds=[1, 2], length=50, block_length=50)
    blocks = list(blocks_of(model, vocabulary, seeds=[1, 2], length=50, block_length=16))
    assert [block.shape for block in blocks] == [(2, 16), (2, 16), (2, 16), (2, 2)]
    assert blocks[0].dtype == np.uint16
    assert np.array_equal(np.concatenate(blocks, axis=1), whole)


def test_first_characters_are_drawn_from_the_distribution_of_the_model(model, vocabulary):
    logits = following(model, [MARK_ID])
    for temperature in (0.5, 1.0, 2.0):
        scaled = logits / temperature
        scaled[UNKNOWN_ID] = -np.inf
        wanted = scaled.softmax(0).numpy()
        drawn = texts(model, vocabulary, seeds=range(4000), length=1, temperature=temperature)
        seen = np.bincount(drawn[:, 0], minlength=vocabulary.size) / 4000
        assert np.abs(seen - wanted).max() < 4 * np.sqrt(0.25 / 4000)
        assert seen[UNKNOWN_ID] == 0


def test_a_sample_is_greedy_at_temperature_0(model, vocabulary):
    drawn = texts(model, vocabulary, seeds=[1, 2], length=30, temperature=0)
    assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(
        drawn[0], texts(model, vocabulary, seeds=[9], length=30, top_k=1, temperature=1)[0]
    )


def test_the_text_follows_from_the_state_that_training_and_scoring_use(model, vocabulary, engine):
    """A greedy text takes the most likely character of the model's forward pass, marks included."""
    with torch.no_grad():
        model.output.bias[MARK_ID] += 3
        model.output.bias[UNKNOWN_ID] -= 100
    prompt = "def f"
    drawn = texts(model, vocabulary, seeds=[1], length=60, temperature=0, prompt=prompt)[0]
    ids = np.concatenate([vocabulary.encode(FILE_MARK + prompt), drawn]).astype(np.int64)
    start, near = 0, 1e-2 if engine == "cuda" else 1e-5
    for place in range(len(prompt) + 1, len(ids)):
        logits = following(model, ids[start:place])
        assert logits[ids[place]] >= logits.max() - near
        start = place if ids[place] == MARK_ID else start
    assert start > 0


def test_a_prompt_stands_at_the_start_of_a_document_marked_or_not(model, vocabulary):
    one = texts(model, vocabulary, seeds=[1], length=40, prompt="def")
    two = texts(model, vocabulary, seeds=[1], length=40, prompt=f"{FILE_MARK}def")
    other = texts(model, vocabulary, seeds=[1], length=40)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_characters_the_model_does_not_know_are_named(model, vocabulary):
    with pytest.raises(
        SamplingError, match="prompt: characters the model does not know: '\u00e9\u20ac'"
    ):
        blocks_of(model, vocabulary, seeds=[1], length=5, prompt="d\u20ac\u00e9f\u20ac")


def test_top_k_and_top_p_leave_the_likeliest_characters_only(model, vocabulary):
    logits = following(model, [MARK_ID])
    logits[UNKNOWN_ID] = -np.inf
    ordered = logits.argsort(descending=True).tolist()
    seen = texts(model, vocabulary, seeds=range(500), length=1, top_k=3)
    assert set(seen[:, 0].tolist()) == set(ordered[:3])
    sums = logits.softmax(0)[ordered].cumsum(0)
    needed = int((sums < 0.6).sum()) + 1
    seen = texts(model, vocabulary, seeds=range(2000), length=1, top_p=0.6)
    assert set(seen[:, 0].tolist()) == set(ordered[:needed])


@pytest.mark.parametrize(
    "wrong",
    [
        {"seeds": []},
        {"seeds": [-1]},
        {"seeds": [2**63]},
        {"length": 0},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_drawn(model, vocabulary, wrong):
    settings = {"seeds": [1], "length": 5} | wrong
    with pytest.raises(SamplingError, match=next(iter(wrong))):
        blocks_of(model, vocabulary, **settings)


def test_no_character_stands_more_often_in_a_row_than_allowed(model, vocabulary):
    with torch.no_grad():
        model.output.bias[5] += 10
    options = {"seeds": [1, 2, 3], "length": 300, "temperature": 0.0, "prompt": "x"}
    free = texts(model, vocabulary, **options)
    kept = texts(model, vocabulary, **options, max_run=2)

    def longest(stream):
        return max(len(list(group)) for _, group in itertools.groupby(stream.tolist()))

    assert max(map(longest, free)) > 2
    assert max(map(longest, kept)) == 2


def test_a_guard_that_never_applies_changes_nothing(model, vocabulary):
    options = {"seeds": [5, 6], "length": 200}
    free = texts(model, vocabulary, **options)
    kept = texts(model, vocabulary, **options, max_run=200)
    np.testing.assert_array_equal(free, kept)


@pytest.mark.parametrize("sharpen", [False, True])
@pytest.mark.parametrize("other", [{}, {"top_k": 50}], ids=["all", "filtered"])
def test_a_low_temperature_does_not_lengthen_runs_unless_asked_to(
    model, vocabulary, sharpen, other
):
    """Every character has the same distribution: in 8 of 10 cases the same letter."""
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.zero_()
        model.output.bias[5] = np.log(4 * (vocabulary.size - 1))
    options = {"seeds": range(20), "length": 500, "temperature": 0.5, "sharpen_runs": sharpen}
    drawn = texts(model, vocabulary, **options, **other)
    after = np.lib.stride_tricks.sliding_window_view(drawn, 4, axis=1).reshape(-1, 4)
    after = after[(after[:, :3] == 5).all(axis=1), 3]
    wanted = 0.8**2 / (0.8**2 + 0.2**2 / (vocabulary.size - 1)) if sharpen else 0.8
    assert np.mean(after == 5) == pytest.approx(wanted, abs=0.025)


def test_runs_change_nothing_at_temperature_1_and_above_or_when_greedy(model, vocabulary):
    for temperature in (0, 1.0, 1.5):
        options = {"seeds": [5, 6], "length": 200, "temperature": temperature}
        plain, sharp = (texts(model, vocabulary, **options, sharpen_runs=s) for s in (False, True))
        np.testing.assert_array_equal(plain, sharp)
