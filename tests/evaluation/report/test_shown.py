from evaluation.report.shown import first_samples
from evaluation.results import ShownSample


def sample(seed, temperature, *degenerate):
    return ShownSample(
        seed=seed, temperature=temperature, text="x", first_error=None, copied=[],
        surprisal=[1.0], degenerate=degenerate,
    )  # fmt: skip


def order(samples, first, number=2):
    chosen = first_samples(samples, first=first, number=number)
    return [(one.temperature, one.seed) for one in chosen]


SAMPLES = [sample(seed, temperature) for temperature in (1.0, 0.5, 0.8) for seed in range(4)]


def test_the_recommended_temperature_comes_first_and_seeds_are_in_order():
    rest = [(0.5, 0), (0.5, 1), (1.0, 0), (1.0, 1)]
    assert order(SAMPLES, 0.8) == [(0.8, 0), (0.8, 1), *rest]
    assert order(SAMPLES, None, 1) == [(0.5, 0), (0.8, 0), (1.0, 0)]


def test_a_page_of_blanks_is_shown_only_where_there_is_nothing_better():
    some = [sample(0, 0.8, "mostly blank"), *(sample(seed, 0.8) for seed in (1, 2))]
    assert order(some, 0.8) == [(0.8, 1), (0.8, 2)]
    blank = [sample(seed, 0.5, "mostly blank") for seed in range(3)]
    assert order([*blank, *some], 0.8) == [(0.8, 1), (0.8, 2), (0.5, 0), (0.5, 1)]
