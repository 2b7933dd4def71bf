import random

import pytest

from evaluation.evidence import TextTallies
from evaluation.metrics.degeneration import degenerate_temperatures, real_text
from evaluation.metrics.diversity import diversity
from evaluation.results import Tally

WORDS = ["self", "value", "return", "path", "index", "result", "data", "key", "error", "stream"]


def code(generator, length=10_000):
    """Text about as repetitive as code."""
    lines = []
    while sum(map(len, lines)) < length:
        words = (f"{generator.choice(WORDS)}_{generator.randrange(40)}" for _ in range(5))
        lines.append(f"{' ' * 4 * generator.randrange(4)}{' = '.join(words)}\n")
    return "".join(lines)[:length]


def scored(text, role="model", temperature=None, units=15):
    kilobytes = len(text) / 1000
    tallies = {**diversity(text), "units_per_kb": Tally(units, kilobytes)}
    return TextTallies(role=role, temperature=temperature, characters=len(text), tallies=tallies)


@pytest.fixture(scope="module")
def control():
    generator = random.Random(1)
    return [scored(code(generator), "control") for _ in range(30)]


def group(temperature, *texts, units=15):
    return [scored(text, temperature=temperature, units=units) for text in texts]


def good(number):
    generator = random.Random(2)
    return [code(generator) for _ in range(number)]


def with_blanks(text):
    return text[:4000] + " " * 1367 + text[5367:]


def test_text_like_real_text_is_not_degenerate(control):
    assert degenerate_temperatures([*group(0.8, *good(20)), *control]) == {}


def test_a_comment_between_rules_is_no_endless_run(control):
    rule = f"/{'*' * 78}/\n"
    texts = [text[:4000] + rule + text[4000:] for text in good(20)]
    assert degenerate_temperatures([*group(0.8, *texts), *control]) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (with_blanks(good(1)[0]), "endless runs of one character"),
        (" \n" * 5_000, "mostly blank"),
        ("        \n" * 1_111, "mostly blank"),
        ("def f(self):\n    return self.value\n" * 285, "endless repetition"),
        ("-" * 10_000, "endless runs of one character"),
    ],
)
def test_each_kind_of_degenerate_text_is_named(control, text, words):
    found = degenerate_temperatures([*group(0.5, *[text] * 20), *control])
    assert words in found[0.5][0]
    assert found[0.5][0].startswith("20 of 20 samples are degenerate (")


def test_a_temperature_is_degenerate_from_a_quarter_of_its_samples_on(control):
    page, texts = with_blanks(good(1)[0]), good(20)
    four = group(0.7, *[page] * 4, *texts[4:])
    five = group(0.6, *[page] * 5, *texts[5:])
    found = degenerate_temperatures([*four, *five, *control])
    assert found == {0.6: ("5 of 20 samples are degenerate (endless runs of one character)",)}


def test_few_units_are_degenerate_even_where_the_text_looks_like_code(control):
    found = degenerate_temperatures([*group(0.5, *good(20), units=4), *control])
    assert found == {0.5: ("0.40 functions or blocks per kB, real text 1.50",)}


def test_windows_shorter_than_the_samples_are_not_compared_in_what_depends_on_length(control):
    generator = random.Random(3)
    short = [scored(code(generator, 500), "control", units=1) for _ in range(12)]
    assert degenerate_temperatures([*group(0.8, *good(20), units=20), *short]) == {}
    blank = group(0.5, *[" \n" * 5_000] * 20, units=20)
    assert "mostly blank" in degenerate_temperatures([*blank, *short])[0.5][0]


def test_without_real_text_nothing_is_called_degenerate():
    assert degenerate_temperatures(group(0.5, *["-" * 10_000] * 20)) == {}


def test_one_sample_is_judged_like_a_temperature(control):
    page = group(0.5, with_blanks(good(1)[0]))[0]
    real = real_text([page, *control])
    assert real.faults_of(page) == ["endless runs of one character"]
    assert real.faults_of(group(0.5, good(1)[0])[0]) == []
