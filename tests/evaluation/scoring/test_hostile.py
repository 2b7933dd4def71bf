"""Whatever is scored, this process lives, nothing hangs, and every text has an outcome."""

from collections import Counter

import pytest

from evaluation.languages import LANGUAGES
from evaluation.metrics.diversity import diversity
from evaluation.metrics.originality import CopyIndex, copy_tallies
from evaluation.scoring.sandbox import score_all
from system.display import visible
from tests.evaluation.scoring.hostile import KILLERS, hostile_texts


def score(language: str, number: int, shape="sample") -> Counter:
    """Score hostile texts and check every score; gives how many there were of each outcome."""
    outcomes: Counter[str] = Counter()
    texts = list(hostile_texts(number))
    for text, found in zip(texts, score_all(language, iter(texts), shape=shape), strict=True):
        outcomes[found.outcome] += 1
        assert bool(found.tallies) == (found.outcome == "ok")
        for key, tally in found.tallies.items():
            assert tally.of >= 0, key
            assert tally.amount >= 0, key
            if key.endswith(("_rate", "_parse")) or key == "swallowed_fraction":
                assert tally.amount <= tally.of, key
        if found.first_error:
            assert 0 <= found.first_error.offset <= len(text)
    assert outcomes.total() == number
    return outcomes


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "prose"])
def test_hundreds_of_hostile_texts_have_an_outcome_each(language):
    outcomes = score(language, 60)
    assert outcomes["ok"] >= 57
    assert outcomes["crash"] == outcomes["bug"] == 0


def test_what_runs_in_this_process_survives_hostile_texts_too():
    index = CopyIndex(list(hostile_texts(20, seed=1)), [("a", None)] * 20)
    for text in hostile_texts(30):
        tallies = {**diversity(text), **copy_tallies(text, index.spans(text[:2_000]))}
        assert all(tally.amount >= 0 for tally in tallies.values())
        assert "\x00" not in visible(text)


@pytest.mark.slow
@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "prose"])
def test_every_killer_leaves_the_next_text_unharmed(language):
    texts = [part for killer in KILLERS for part in (killer, "x = 1\n")]
    outcomes = [found.outcome for found in score_all(language, texts, seconds=2.0)]
    assert set(outcomes[1::2]) == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "prose"])
def test_two_thousand_hostile_texts_a_language_ten_thousand_in_all(language):
    outcomes = score(language, 2_000)
    assert outcomes["ok"] >= 1_980
