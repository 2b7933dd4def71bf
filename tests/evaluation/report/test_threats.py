import dataclasses

import pytest

from evaluation.report.facts import Facts, Training
from evaluation.report.render import html, markdown
from evaluation.report.threats import threats
from evaluation.results import LadderRow, Metric, ReportCurvePoint, SampleGroup, Threat
from tests.evaluation.example import example_evaluation

KEY = "function_parse_rate"


def group(role, temperature=None, value=0.5, **changes):
    one = SampleGroup(
        name=f"temperature {temperature:g}" if temperature else role,
        role=role,
        temperature=temperature,
        texts=20,
        characters_each=10_000,
        metrics={KEY: Metric(value=value, n=300)},
        outcomes={"ok": 20},
    )
    return dataclasses.replace(one, **changes)


def ladder(model=1.5, train=1.3):
    rows = [("uniform", 6.6, None), ("ngram", 1.8, None), ("model", model, train)]
    return [
        LadderRow(
            name=kind, kind=kind, bits_per_char=bits, bits_per_byte=bits, train_bits_per_char=train
        )
        for kind, bits, train in rows
    ]


def training(*bits, epochs=3.0):
    """A training of one minute with validations at even intervals."""
    characters = round(1_000_000 * epochs)
    curve = [
        ReportCurvePoint(
            characters=characters * place // len(bits),
            seconds=60.0 * place / len(bits),
            train_bits=None,
            validation_bits=value,
        )
        for place, value in enumerate(bits, start=1)
    ]
    return Training(
        characters=characters, epoch=1_000_000, seconds=60.0, learning_rate=0.008, curve=curve
    )


CALM = Facts(
    dataset="mine",
    model_name="LSTM",
    training=training(2.4, 1.9, 1.6, 1.55, 1.5, 1.5),
    ladder=ladder(),
    groups=[group("floor"), group("model", 0.8), group("control", value=0.99)],
    headline=KEY,
    test_files=30,
    validation_bits=1.5,
    near_copies=0,
    baseline_share=1.0,
    vocabulary_size=100,
    python=None,
    no_compiler=None,
)


def found(**changes):
    return [t for t in threats(dataclasses.replace(CALM, **changes)) if not t.is_general]


def only(**changes):
    (threat,) = found(**changes)
    return threat


def test_a_good_run_has_only_the_threats_of_every_run():
    assert [threat.kind for threat in threats(CALM)] == ["one training"]
    assert found() == []


def test_a_model_that_saw_little_of_its_corpus_and_still_learned_is_undertrained():
    threat = only(training=training(4.0, 3.6, 3.2, 2.9, 2.6, 2.4, epochs=0.004))
    assert threat.kind == "undertrained"
    assert "read 0.4 % of its training text" in threat.text
    assert "fell, from 3.20 to 2.40" in threat.text
    assert threat.command == "charmill run mine --budget 9h"  # 60 s * 2 / .004


@pytest.mark.parametrize("bits", [(), (3.0,)])
def test_a_model_that_has_read_hardly_anything_is_undertrained_without_a_curve(bits):
    threat = only(training=training(*bits, epochs=0.004))
    assert threat.kind == "undertrained"
    assert "read 0.4 % of its training text, and there are too few validations" in threat.text


@pytest.mark.parametrize(
    ("epochs", "words"),
    [(0.994, "99 % of"), (0.995, "once"), (1.0, "once"), (1.06, "1.1 times"), (12.0, "12 times")],
)
def test_how_often_a_text_was_read_is_said_in_words(epochs, words):
    threat = only(training=training(6.0, 5.0, 4.0, 3.0, 2.0, 1.0, epochs=epochs))
    assert f"The model has read {words} its training text" in threat.text


def test_less_than_an_epoch_is_enough_where_the_curve_is_flat():
    assert found(training=training(2.0, 1.6, 1.51, 1.5, 1.5, 1.5, epochs=0.3)) == []


def test_many_epochs_are_too_few_where_the_curve_is_steep():
    threat = only(training=training(4.0, 3.0, 2.5, 2.2, 2.0, 1.9, epochs=5))
    assert threat.kind == "undertrained"
    assert "read 5 times its training text" in threat.text
    assert threat.command == "charmill run mine --budget 2m"


def test_undertrained_comes_first():
    every = found(
        training=training(4.0, 3.6, 3.2, 2.9, 2.6, 2.4, epochs=0.004),
        groups=[group("model", 0.5, degenerate=("mostly blank",))],
        test_files=2,
        near_copies=None,
    )
    assert [threat.kind for threat in every] == [
        "undertrained",
        "degenerate samples",
        "few held-out files",
        "near-copies not searched for",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ladder": ladder(17_585.0, 17_000.0)}, "needs more bits than a uniform guess"),
        (
            {"ladder": ladder(6.9, 6.9), "training": training(6.7, 6.8, 6.9)},
            "needs more bits than a uniform guess",
        ),
        ({"training": training(2.0, 1.5, 1.6, 3.1)}, "rose by 1.60 after their minimum"),
    ],
)
def test_a_training_that_diverged_is_said_to_have_diverged_and_nothing_else(changes, words):
    threat = only(**changes)
    assert threat.kind == "diverged"
    assert words in threat.text
    assert threat.command == "charmill run mine --set train.learning_rate=0.0008"


@pytest.mark.parametrize("bits", [(6.9,), (7.1, 6.9)])
def test_a_model_that_has_only_just_begun_is_undertrained_and_nothing_else(bits):
    threat = only(ladder=ladder(6.9, 6.9), training=training(*bits, epochs=0.001))
    assert threat.kind == "undertrained"
    assert "has read 0.1 % of its training text, too little to predict better" in threat.text


def test_a_training_that_went_on_too_long_is_overtrained():
    threat = only(training=training(2.0, 1.5, 1.55, 1.6))
    assert threat.kind == "overtrained"
    assert "rose by 0.10 after 1,500,000 characters" in threat.text
    assert threat.command == "charmill run mine --budget 1500kchars"


def test_text_known_by_heart_is_named():
    threat = only(ladder=ladder(1.5, 0.6))
    assert threat.kind == "memorised"
    assert "needs 0.60 bits" in threat.text


@pytest.mark.parametrize(("bits", "word"), [(1.0, "harder"), (2.0, "easier")])
def test_held_out_files_unlike_the_others_are_named(bits, word):
    threat = only(validation_bits=bits)
    assert threat.kind == "held-out text unlike the rest"
    assert f"The test files are {word} than the validation files" in threat.text
    assert threat.command == "charmill run mine --set corpus.split.salt=second"


def test_corpora_without_validation_files_or_curve_are_not_judged_by_them():
    assert found(validation_bits=None) == []
    assert found(training=training()) == []


def test_degenerate_samples_are_named_with_their_temperature_and_a_remedy():
    bad = group("model", 0.5, degenerate=("20 of 20 samples are degenerate (mostly blank)",))
    threat = only(groups=[bad, group("model", 1.0), group("control", value=0.99)])
    assert "temperature 0.5: 20 of 20 samples are degenerate (mostly blank)." in threat.text
    assert "not recommended" in threat.text
    assert threat.command == "charmill run mine --set 'sample.temperatures=[1.0,1.1,1.2]'"
    every = only(groups=[bad, group("control", value=0.99)])
    assert "none can be recommended" in every.text


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"test_files": 3}, "few held-out files", "Only 3 held-out files"),
        ({"test_files": 1}, "few held-out files", "Only 1 held-out file was scored"),
        ({"near_copies": 1}, "near-copies left", "1 held-out file with"),
        ({"near_copies": None}, "near-copies not searched for", "may have near-copies"),
        ({"groups": [group("control", value=0.4)]}, "low control", "reaches only 40%"),
        ({"groups": [group("control", value=1.0, texts=2)]}, "little real", "only 2 windows"),
        (
            {"groups": [group("model", 1.0, outcomes={"ok": 19, "crash": 1})]},
            "texts not scored",
            "1 of 20 texts",
        ),
        (
            {"groups": [group("model", 1.0, outcomes={"ok": 18, "bug": 2})]},
            "a bug in scoring",
            "2 of 20 texts were not scored because of a bug",
        ),
    ],
)
def test_each_threat_has_its_name_its_figures_and_what_to_do(changes, kind, words):
    threat = only(**changes)
    assert threat.kind.startswith(kind)
    assert words in threat.text
    assert threat.remedy


def test_what_holds_for_the_method_comes_last():
    every = threats(
        dataclasses.replace(
            CALM,
            test_files=3,
            baseline_share=0.5,
            vocabulary_size=20_000,
            python="3.11.7",
            no_compiler="No javac.",
        )
    )
    assert [threat.is_general for threat in every] == [False, *[True] * 5]
    text = " ".join(threat.text for threat in every)
    for words in (
        "seen 50% of the training text, the LSTM all",
        "Python 3.11.7",
        "No javac.",
        "cut to 25%",
    ):
        assert words in text


def test_the_grave_ones_are_next_to_the_verdict_and_the_others_at_the_end():
    grave = Threat(kind="undertrained", text="Still falling.", remedy="Train", command="charmill x")
    general = Threat(kind="one training", text="One seed.", is_general=True)
    evaluation = example_evaluation(threats=[grave, general])
    page = html(evaluation)
    places = [
        page.index(part) for part in ('class="verdict"', "Still falling.", "<nav", "One seed.")
    ]
    assert places == sorted(places)
    assert "Train: <code>charmill x</code>" in page
    text = markdown(evaluation)
    assert text.index("**Undertrained.** Still falling. Train: ` charmill x `\n") < text.index(
        "Likelihood"
    )
    assert text.index("One seed.") > text.index("## Threats to validity")


def test_a_report_without_grave_threats_has_no_empty_box():
    page = html(example_evaluation(threats=[]))
    assert "Before you quote this" not in page
