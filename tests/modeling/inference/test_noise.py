import functools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from modeling.inference.noise import (
    MAX_SEED,
    CounterNoise,
    GeneratorNoise,
    gumbel,
    noise_for,
    philox,
)
from modeling.vocab import UNKNOWN_ID
from tests.modeling.gpu import DEVICES

CPU = torch.device("cpu")
SOURCES = [GeneratorNoise, functools.partial(CounterNoise, device=CPU)]
SIZE = 11

# From the authors' tests (Random123, kat_vectors): counter, key, result.
KNOWN = [
    (" ".join(["00000000"] * 4), "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (" ".join(["ffffffff"] * 4), "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def counted(seeds, temperature=1.0, size=SIZE, device="cpu"):
    return CounterNoise(seeds, size, temperature, torch.device(device))


def words_of(text, device):
    return tuple(torch.tensor([int(word, 16)], device=device) for word in text.split())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("counter", "key", "wanted"), KNOWN)
def test_the_generator_gives_the_published_answers(device, counter, key, wanted):
    words = philox(words_of(counter, device), words_of(key, device))
    assert " ".join(f"{word.item():08x}" for word in words) == wanted


@pytest.mark.parametrize("device", DEVICES)
def test_the_noise_of_a_stream_depends_on_its_seed_and_place_alone(device):
    seeds = [0, 1, 5, 2**31, 2**32, 2**32 + 5, MAX_SEED]
    together = counted(seeds, device=device).draw(20)
    for place, seed in enumerate(seeds):
        alone = counted([seed], device=device)
        parts = [alone.draw(steps) for steps in (1, 12, 7)]
        assert torch.cat(parts, dim=1)[0].equal(together[place])
    assert len(torch.unique(together[:, :, 0])) == 20 * len(seeds)


@pytest.mark.parametrize("device", DEVICES[1:])
def test_a_gpu_draws_the_noise_that_a_processor_would_but_for_rounding(device):
    ours = counted([3, MAX_SEED], device=device).draw(50).cpu()
    torch.testing.assert_close(ours, counted([3, MAX_SEED]).draw(50), rtol=1e-5, atol=1e-5)


def test_ids_have_the_same_noise_whatever_the_size_of_the_vocabulary():
    few, many = (counted([7], size=size).draw(5) for size in (9, 30))
    assert few.equal(many[:, :, :9])


def test_no_two_seeds_places_or_ids_share_a_block_of_words():
    seeds = torch.tensor([*range(300), *range(MAX_SEED - 300, MAX_SEED)])[:, None, None]
    places = torch.arange(50)[:, None]
    quads = torch.arange(8)
    zero = torch.zeros_like(quads)
    words = philox((quads, zero, places, places >> 32), (seeds & 0xFFFFFFFF, seeds >> 32))
    pairs = (words[0] << 31) ^ words[1]
    assert pairs.shape == (600, 50, 8)
    assert len(torch.unique(pairs)) == pairs.numel()


@pytest.mark.parametrize("source", SOURCES)
def test_noise_is_gumbel_and_independent_across_streams_places_and_ids(source):
    drawn = source(range(400), 12, 1.0).draw(50)[:, :, 2:].double().numpy()
    uniform = np.exp(-np.exp(-drawn))
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > 0.001
    assert stats.kstest(uniform.max(axis=(1, 2)) ** 500, "uniform").pvalue > 0.001
    for axis in range(3):
        here, after = (
            np.take(uniform, range(i, uniform.shape[axis] - 1 + i), axis) for i in (0, 1)
        )
        assert abs(np.corrcoef(here.ravel(), after.ravel())[0, 1]) < 4 / math.sqrt(here.size)
        cells = np.histogram2d(here.ravel(), after.ravel(), bins=16, range=[[0, 1], [0, 1]])[0]
        assert stats.chisquare(cells.ravel()).pvalue > 0.001


@pytest.mark.parametrize("device", DEVICES)
def test_the_rarest_noise_is_finite_and_precise(device):
    words = torch.tensor([0, 1, 1000, 2**31, 2**32 - 1], device=device)
    exact = -np.log(-np.log1p(-(words.cpu().double().numpy() + 0.5) / 2**32))
    found = gumbel(words).cpu().numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:-1], exact[:-1], rtol=1e-6, atol=1e-6)
    # The smallest noise, which no argmax selects, is limited by float32.
    assert exact[-1] < found[-1] == pytest.approx(-math.log(24 * math.log(2)), rel=1e-6)


@pytest.mark.parametrize("source", SOURCES)
def test_noise_is_scaled_by_the_temperature_and_never_lets_the_unknown_id_win(source):
    one, half = (source([4, 5], SIZE, temperature).draw(30) for temperature in (1.0, 0.5))
    known = [id_ for id_ in range(SIZE) if id_ != UNKNOWN_ID]
    torch.testing.assert_close(half[:, :, known], 0.5 * one[:, :, known])
    for temperature in (0.0, 1.0):
        unknown = source([4], SIZE, temperature).draw(3)[:, :, UNKNOWN_ID]
        assert (unknown == -math.inf).all()
    assert (source([4], SIZE, 0.0).draw(3)[:, :, known] == 0).all()


def test_a_processor_draws_from_generators_and_a_gpu_from_counters():
    assert isinstance(noise_for(CPU, [1], SIZE, 1.0), GeneratorNoise)
    if torch.cuda.is_available():
        assert isinstance(noise_for(torch.device("cuda"), [1], SIZE, 1.0), CounterNoise)
