import numpy as np
import pytest

from evaluation.baselines.ladder import HeldOut, baseline_rows, best_ngram
from evaluation.baselines.ngram import NgramCounts
from evaluation.metrics.groups import windows
from evaluation.report.verdict import best_temperature, headline_group, threats, verdict
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


GROUPS = [
    group("floor", None, 0.01, 300),
    group("model", 0.5, 0.5, 4),
    group("model", 0.8, 0.3, 200),
    group("model", 1.0, 0.2, 300),
    group("control", None, 0.99, 900),
]


@pytest.mark.parametrize(("bits", "words"), [(1.4, "0.100 fewer"), (1.7, "0.200 more")])
def test_the_verdict_compares_with_the_best_ngram_and_says_which_way(bits, words):
    sentence = verdict("Mine", ladder(bits), GROUPS, KEY)
    assert f"{words} than the best n-gram (Kneser-Ney 8, 1.500)" in sentence
    assert "30.0 % at temperature 0.8 (n-gram samples 1.0 %, real text 99.0 %)" in sentence


def test_the_verdict_names_the_architecture():
    assert "files of Mine the GRU needs 1.400" in verdict("Mine", ladder(1.4, "GRU"), GROUPS, KEY)


def at(temperature):
    return Recommendation(
        temperature=temperature, low=temperature, high=temperature, share=1.0, metrics=(KEY,)
    )


def test_the_verdict_speaks_of_the_recommended_temperature():
    sentence = verdict("Mine", ladder(1.4), GROUPS, KEY, at(1.0))
    assert "20.0 % at temperature 1 (n-gram" in sentence
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
    assert "have no units to count" in verdict("Mine", ladder(1.4), empty, KEY)
    assert verdict("Mine", ladder(1.4), GROUPS, None).endswith("(Kneser-Ney 8, 1.500).")


def test_threats_name_the_limitations_of_this_report():
    low = [*GROUPS[:-1], group("control", None, 0.4, 900)]
    found = " ".join(
        threats(
            model_name="GRU",
            groups=low,
            headline=KEY,
            test_files=3,
            baseline_share=0.5,
            python="3.11.7",
            no_compiler="No javac.",
        )
    )
    for words in (
        "No javac.",
        "Only 3 held-out files",
        "seen 50%",
        "the GRU all of it",
        "reaches only 40%",
        "Python 3.11.7",
    ):
        assert words in found
    calm = list(
        threats(
            model_name="LSTM",
            groups=GROUPS,
            headline=KEY,
            test_files=30,
            baseline_share=1.0,
            python=None,
            no_compiler=None,
        )
    )
    assert len(calm) == 1


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
