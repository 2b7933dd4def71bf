"""Verdicts about claims, on figures with a known answer."""

import pytest

from benchmarks.claims.__main__ import page
from benchmarks.claims.experiments import CLAIMS, Arm, Claim
from benchmarks.claims.verdict import interval, verdicts

CLAIM = Claim(
    name="size",
    text="More is better.",
    arms=[Arm(label=label, dataset="x", settings={}) for label in ("more", "less")],
    measures=("bits", "validity"),
    better=("more",),
    worse=("less",),
)


def bits(more, less):
    pairs = {"more": more, "less": less}
    return {label: [{"bits": value} for value in values] for label, values in pairs.items()}


@pytest.mark.parametrize(
    ("more", "less", "words"),
    [
        ([1.5, 1.6, 1.7], [2.0, 2.1, 2.2], "holds"),
        ([2.0, 2.1, 2.2], [1.5, 1.6, 1.7], "the opposite holds"),
        ([1.5, 2.0, 1.7], [1.6, 1.6, 1.8], "no evidence"),
        ([1.5], [2.0], "no evidence: one seed"),
    ],
)
def test_fewer_bits_are_better_and_chance_is_no_evidence(more, less, words):
    (verdict,) = verdicts(CLAIM, bits(more, less))
    assert verdict.words == words


def test_what_a_seed_does_to_both_arms_cancels():
    far_apart = [1.0, 2.0, 3.0]
    (verdict,) = verdicts(CLAIM, bits(far_apart, [value + 0.1 for value in far_apart]))
    assert verdict.words == "holds"
    assert verdict.difference == pytest.approx(0.1)


def test_the_interval_is_students():
    # t(0.975, 2 degrees of freedom) = 4.3027; the standard error of 1, 2, 3 is 1 / sqrt(3)
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(
        (2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), 1e-4
    )
    assert interval([1.0]) is None


def test_a_measure_that_an_arm_lacks_is_not_judged():
    results = {"more": [{"bits": 1.0, "validity": None}], "less": [{"bits": 2.0, "validity": 0.1}]}
    assert [verdict.measure for verdict in verdicts(CLAIM, results)] == ["bits"]


def test_every_claim_compares_arms_that_it_has():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        labels = [arm.label for arm in claim.arms]
        assert len(set(labels)) == len(labels)
        assert {*claim.better, *claim.worse} <= set(labels)
        assert not set(claim.better) & set(claim.worse)


def test_the_page_has_a_table_and_a_verdict():
    claim = CLAIMS[0]
    figures = {"bits": 1.5, "gain": 0.2, "validity": 0.4, "new units": None}
    results = {arm.label: [figures, figures | {"bits": 1.7}] for arm in claim.arms}
    text = page({claim.name: results}, "Made here.")
    assert "| C | 1.600 (1.500 to 1.700) | 0.200 (0.200 to 0.200) | " in text
    assert "By gain, C against Lua, Java, Python, Scala: **no evidence**" in text
    before, _, missing = text.partition("## Not tested yet")
    assert "epochs" not in before
    assert "- More epochs give a better model. (`epochs`)" in missing


def test_the_page_has_no_column_without_figures():
    claim = next(claim for claim in CLAIMS if claim.name == "context")
    text = page({claim.name: {arm.label: [{"bits": 1.5}] for arm in claim.arms}}, "Made here.")
    assert "| arm | bits |\n|---|--:|\n| 5 characters seen | 1.500 |" in text
