import random
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics.diversity import NGRAM_LENGTH, diversity
from evaluation.results import Tally
from modeling.vocab import FILE_MARK

LENGTH = 10_000


def ordinary_text():
    """Lines of random words from a vocabulary of 500: neither noise nor a loop."""
    generator = random.Random(5)
    words = [
        "".join(generator.choices("etaoinshrdlu", k=generator.randint(2, 8))) for _ in range(500)
    ]
    lines = [" ".join(generator.choices(words, k=8)) for _ in range(400)]
    return "\n".join(lines)[:LENGTH]


DEGENERATE = {
    "blank": " " * LENGTH,
    "line ends": "\n" * LENGTH,
    "one character": "-" * LENGTH,
    "one word": ("word " * LENGTH)[:LENGTH],
    "one line": ("    return self.value\n" * LENGTH)[:LENGTH],
    "one function": ("def f(self):\n    x = self.g(1)\n    return x\n\n" * LENGTH)[:LENGTH],
}


def ratio(key, text):
    tally = diversity(text)[key]
    return tally.amount / tally.of


@pytest.mark.parametrize("kind", DEGENERATE)
def test_degenerate_text_has_a_low_diversity(kind):
    ordinary, degenerate = ordinary_text(), DEGENERATE[kind]
    assert ratio("distinct_ngrams", degenerate) < ratio("distinct_ngrams", ordinary) / 50
    assert ratio("repetition", degenerate) < ratio("repetition", ordinary) / 20


@pytest.mark.parametrize("kind", ["one line", "one function"])
def test_nearly_all_lines_of_a_loop_are_repeated(kind):
    assert ratio("repeated_lines_fraction", DEGENERATE[kind]) > 0.98
    assert ratio("repeated_lines_fraction", ordinary_text()) == 0


@pytest.mark.parametrize("text", ["", "\n", " ", "a", "\ud800", FILE_MARK, "\U0001f600" * 9])
def test_any_text_has_all_figures(text):
    keys = {
        "distinct_ngrams",
        "repetition",
        "longest_run",
        "repeated_lines_fraction",
        "blank_fraction",
    }
    assert diversity(text).keys() == keys


def test_empty_text_has_empty_tallies_only():
    assert set(diversity("").values()) == {Tally(0, 0)}


def test_blank_text_has_no_lines_to_repeat():
    assert diversity("\n \n\n")["repeated_lines_fraction"] == Tally(0, 0)


def test_text_shorter_than_an_ngram_has_none():
    assert diversity("x" * (NGRAM_LENGTH - 1))["distinct_ngrams"] == Tally(0, 0)


@given(st.text(st.sampled_from("ab\n\u4e2d\ud800\U0001f600"), max_size=80))
def test_ngrams_and_runs_are_those_of_the_slow_reference(text):
    found = diversity(text)
    ngrams = [text[i : i + NGRAM_LENGTH] for i in range(len(text) - NGRAM_LENGTH + 1)]
    runs = [len(list(run)) for _, run in groupby(text)]
    assert found["distinct_ngrams"] == Tally(len(set(ngrams)), len(ngrams))
    assert found["longest_run"] == Tally(max(runs, default=0), min(len(text), 1))


def test_ngrams_are_counted_at_every_offset():
    assert diversity("abcdefabcdefab")["distinct_ngrams"] == Tally(6, 9)


def test_the_longest_run_is_a_length_per_text():
    assert diversity(f"ab{' ' * 387}ccc")["longest_run"] == Tally(387, 1)


def test_repetition_is_measured_in_bytes():
    assert diversity("\u4e2d" * 100)["repetition"].of == 300


def test_indented_copies_of_a_line_and_lines_of_the_next_file_are_repeated_lines():
    text = f"x = 1\n\n  x = 1\ny = 2{FILE_MARK}x = 1"
    assert diversity(text)["repeated_lines_fraction"] == Tally(2, 4)


def test_blanks_are_counted_in_every_form():
    assert diversity("a b\t\nc")["blank_fraction"] == Tally(3, 6)
