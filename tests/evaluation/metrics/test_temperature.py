import dataclasses

import pytest

from evaluation.evidence import TextTallies
from evaluation.metrics.temperature import recommend
from evaluation.report.render import html, markdown
from evaluation.results import Tally
from tests.evaluation.example import example_evaluation

KEY = "function_parse_rate"


def texts(role, temperature, parsed, distinct, *, spread=0, count=20):
    return [
        TextTallies(
            role=role,
            temperature=temperature,
            characters=1_000,
            tallies={
                KEY: Tally(parsed + spread * (number % 3 - 1), 10),
                "distinct_ngrams": Tally(distinct, 100),
            },
        )
        for number in range(count)
    ]


CONTROL = texts("control", None, 9, 45)


def test_the_most_valid_temperature_loses_when_it_repeats_itself():
    looping = texts("model", 0.3, 9, 5)
    found = recommend([*looping, *texts("model", 0.8, 7, 44), *CONTROL], KEY)
    assert found is not None
    assert (found.temperature, found.low, found.high, found.share) == (0.8, 0.8, 0.8, 1.0)
    assert found.metrics == (KEY, "distinct_ngrams")


def test_temperatures_that_hardly_differ_are_all_in_the_interval():
    groups = (texts("model", t, 5, 44, spread=spread) for t, spread in ((0.7, 5), (0.8, 4)))
    noisy = recommend([*next(groups), *next(groups), *CONTROL], KEY)
    assert noisy is not None
    assert (noisy.low, noisy.high) == (0.7, 0.8)
    assert 0.2 < noisy.share < 0.8


def test_samples_without_units_are_far_from_real_text_and_prose_uses_diversity_alone():
    empty = [
        dataclasses.replace(text, tallies={"distinct_ngrams": Tally(45, 100)})
        for text in texts("model", 0.5, 0, 0)
    ]
    both = [*empty, *texts("model", 1.0, 6, 60), *CONTROL]
    code, prose = recommend(both, KEY), recommend(both, None)
    assert code is not None
    assert prose is not None
    assert (code.temperature, code.share) == (1.0, 1.0)
    assert (prose.temperature, prose.share) == (0.5, 1.0)


@pytest.mark.parametrize("temperatures", [(), (0.8,)])
def test_there_must_be_a_choice(temperatures):
    model = [text for t in temperatures for text in texts("model", t, 5, 45)]
    assert recommend([*model, *CONTROL], KEY) is None


def test_the_report_says_which_temperature_and_how_sure():
    found = recommend([*texts("model", 0.3, 9, 5), *texts("model", 0.8, 7, 44), *CONTROL], KEY)
    evaluation = example_evaluation(recommended=found)
    for page in (html(evaluation), markdown(evaluation)):
        assert "Sample at temperature 0.8: of those tried," in page
    assert "Recommended" not in html(example_evaluation())


def degenerate(temperature):
    """Samples that are mostly blank, with the best of all validities."""
    return [
        dataclasses.replace(text, tallies={**text.tallies, "blank_fraction": Tally(990, 1_000)})
        for text in texts("model", temperature, 9, 45)
    ]


REAL = [
    dataclasses.replace(text, tallies={**text.tallies, "blank_fraction": Tally(300, 1_000)})
    for text in CONTROL
]


def test_a_degenerate_temperature_is_no_candidate_however_valid_its_samples():
    found = recommend([*degenerate(0.5), *texts("model", 0.8, 3, 60), *REAL], KEY)
    assert found is not None
    assert (found.temperature, found.tried, found.is_degenerate) == (0.8, 1, False)
    page = html(example_evaluation(recommended=found))
    assert "Sample at temperature 0.8, the only one of those tried" in page


def test_where_all_temperatures_are_degenerate_none_is_recommended():
    found = recommend([*degenerate(0.5), *degenerate(0.8), *REAL], KEY)
    assert found is not None
    assert (found.tried, found.is_degenerate) == (2, True)
    for page in (html(example_evaluation(recommended=found)),):
        assert "No temperature can be recommended" in page
        assert "Sample at temperature" not in page


def test_a_metric_that_no_sample_has_is_not_named():
    none = [*texts("model", 0.5, 0, 40), *texts("model", 0.8, 0, 45)]
    without = [
        dataclasses.replace(text, tallies={**text.tallies, KEY: Tally(0, 0)}) for text in none
    ]
    found = recommend([*without, *CONTROL], KEY)
    assert found is not None
    assert found.metrics == ("distinct_ngrams",)
