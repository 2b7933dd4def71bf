import dataclasses
from functools import partial

import numpy as np
import pytest

from evaluation.baselines.ladder import HeldOut, baseline_rows, best_ngram
from evaluation.baselines.ngram import NgramCounts
from evaluation.metrics.groups import windows
from evaluation.report.facts import Training
from evaluation.report.verdict import best_temperature, headline_group, verdict
from evaluation.results import LadderRow, Metric, Recommendation, SampleGroup
from modeling.vocab import FILE_MARK, Vocabulary

KEY = "function_parse_rate"


def group(role, temperature, value, n):
    return SampleGroup(
        name=role,
        role=role,
        temperature=temperature,
        texts=20,
        characters_each=100,
        metrics={KEY: Metric(value=value, n=n)},
        outcomes={"ok": 20},
    )


def ladder(model, name="LSTM"):
    rows = [
        ("ngram", "Kneser-Ney 5", 2.0),
        ("ngram", "Kneser-Ney 8", 1.5),
        ("model", name, model),
    ]
    return [
        LadderRow(name=name, kind=kind, bits_per_char=bits, bits_per_byte=bits)
        for kind, name, bits in rows
    ]


judged = partial(
    verdict,
    training=Training(characters=1, epoch=1, seconds=1.0, learning_rate=0.01, curve=()),
)
GROUPS = [
    group("floor", None, 0.01, 300),
    group("model", 0.5, 0.5, 4),
    group("model", 0.8, 0.3, 200),
    group("model", 1.0, 0.2, 300),
    group("control", None, 0.99, 900),
]


@pytest.mark.parametrize(("bits", "words"), [(1.4, "0.100 fewer"), (1.7, "0.200 more")])
def test_the_verdict_compares_with_the_best_ngram_and_says_which_way(bits, words):
    sentence = judged("Mine", ladder(bits), GROUPS, KEY)
    assert f"{words} than the best n-gram (Kneser-Ney 8, 1.500)" in sentence
    assert sentence.endswith(
        "; at temperature 0.8 functions that parse: 30.0 % "
        "(n-gram samples 1.0 %, real text 99.0 %)."
    )


def test_the_verdict_names_the_architecture():
    assert "files of Mine the GRU needs 1.400" in judged("Mine", ladder(1.4, "GRU"), GROUPS, KEY)


def at(temperature):
    return Recommendation(
        temperature=temperature,
        low=temperature,
        high=temperature,
        share=1.0,
        metrics=(KEY,),
        tried=2,
    )


def test_the_verdict_speaks_of_the_recommended_temperature():
    sentence = judged("Mine", ladder(1.4), GROUPS, KEY, at(1.0))
    assert "at temperature 1 functions that parse: 20.0 % (n-gram" in sentence
    assert "0.8" not in sentence


def test_where_nothing_is_counted_at_the_recommended_temperature_the_best_one_is_quoted():
    groups = [*GROUPS, group("model", 1.2, None, 0)]
    quoted = headline_group(groups, KEY, at(1.2))
    assert quoted is not None
    assert quoted[0].temperature == 0.8


def test_a_temperature_with_few_units_is_not_the_best_one():
    best = best_temperature(GROUPS, KEY)
    assert best is not None
    assert best[0].temperature == 0.8
    few = best_temperature(GROUPS[:2], KEY)
    assert few is not None
    assert few[1].n == 4


def test_samples_without_units_and_prose_have_a_verdict_too():
    empty = [group("model", 0.5, None, 0)]
    assert "no sample has a whole function or block" in judged("Mine", ladder(1.4), empty, KEY)
    assert judged("Mine", ladder(1.4), GROUPS, None).endswith("(Kneser-Ney 8, 1.500).")


def test_new_units_come_first_with_floor_and_control():
    groups = [
        dataclasses.replace(
            one, metrics={**one.metrics, "new_units_per_kb": Metric(value=value, n=200)}
        )
        for one, value in zip(GROUPS, (0.01, 0.2, 0.5, 0.4, 1.5), strict=True)
    ]
    sentence = judged("Mine", ladder(1.4), groups, KEY, at(0.8))
    assert (
        "; at temperature 0.8 it writes 0.500 valid, original functions per kB "
        "(n-gram samples 0.0100, real text 1.50); functions that parse: 30.0 %"
    ) in sentence


def test_a_degenerate_temperature_is_quoted_only_if_there_is_no_other_and_named_so():
    bad = [
        dataclasses.replace(one, degenerate=("mostly blank",)) if one.temperature == 0.8 else one
        for one in GROUPS
    ]
    assert "at temperature 1 functions" in judged("Mine", ladder(1.4), bad, KEY)
    every = [dataclasses.replace(one, degenerate=("mostly blank",)) for one in GROUPS]
    sentence = judged("Mine", ladder(1.4), every, KEY)
    assert "at temperature 0.8, where the samples are degenerate, functions" in sentence


def test_a_model_worse_than_chance_has_diverged():
    chance = LadderRow(name="uniform", kind="uniform", bits_per_char=6.6, bits_per_byte=6.6)
    sentence = judged("Mine", [*ladder(17_585.0), chance], GROUPS, KEY)
    assert sentence.startswith("The training diverged. On held-out files")
    assert "functions that parse" not in sentence


def test_a_model_that_has_only_just_begun_has_not_diverged():
    chance = LadderRow(name="uniform", kind="uniform", bits_per_char=14.3, bits_per_byte=5.0)
    sentence = judged("Mine", [*ladder(14.7), chance], GROUPS, KEY)
    assert sentence.startswith("On held-out files")


def test_all_rows_of_a_ladder_divide_by_the_same_characters_and_bytes():
    texts = ["caf\u00e9 caf\u00e9 bar", "bar bar caf\u00e9"]
    vocabulary = Vocabulary(tuple(sorted(set("".join(texts)))))
    held_out = HeldOut.of(texts, vocabulary)
    counts = NgramCounts(vocabulary.encode_documents(texts), vocabulary, 3)
    rows = [row for row, _ in baseline_rows(counts, [2, 3], held_out)]
    assert [row.kind for row in rows] == ["uniform", "unigram", "ngram", "ngram"]
    assert rows[0].bits_per_char == pytest.approx(np.log2(vocabulary.size))
    characters, size = sum(map(len, texts)), sum(len(text.encode()) for text in texts)
    for row in rows:
        assert row.bits_per_byte == pytest.approx(row.bits_per_char * characters / size)
    assert best_ngram(rows).bits_per_char == min(row.bits_per_char for row in rows[2:])


def test_windows_are_cut_one_after_another_across_file_marks():
    assert windows(["abcd", "ef"], length=3, at_most=9) == ["abc", f"d{FILE_MARK}e"]
    assert windows(["abcd", "ef"], length=3, at_most=1) == ["abc"]
    assert windows(["ab"], length=9, at_most=5) == ["ab"]
