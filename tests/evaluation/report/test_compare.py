import dataclasses
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.errors import ReportError
from evaluation.evidence import DocumentBits, Evidence, TextTallies, load_evidence
from evaluation.report.compare import NO_EVIDENCE, compare_evaluations, summary
from evaluation.report.render import html, markdown
from evaluation.results import Tally
from tests.evaluation.example import example_evaluation

KEY = "function_parse_rate"
CHARACTERS = 1_000


def documents(count, *, shift=0.0, noise=0.0, seed=0, first=0):
    """Documents of very different difficulty; every one `shift` bits per character dearer."""
    generator = np.random.default_rng(seed)
    return [
        DocumentBits(
            path=f"a/{number}",
            sha256=f"{number:064}",
            characters=CHARACTERS,
            model_bits=CHARACTERS * (1 + number / 10 + shift + noise * generator.normal()),
            ngram_bits=CHARACTERS * 2.0,
        )
        for number in range(first, first + count)
    ]


def texts(successes, *, count=20, units=10, temperature=0.8, characters=500):
    return [
        TextTallies(
            role="model",
            temperature=temperature,
            characters=characters,
            tallies={KEY: Tally(successes + number % 3, units), "repetition": Tally(4, 10)},
        )
        for number in range(count)
    ]


def compared(old, new):
    return compare_evaluations(old, new, old_key="old", new_key="new", headline=KEY)


def bits_words(old, new):
    found = compared(Evidence(documents=old, texts=[]), Evidence(documents=new, texts=[]))
    return found.changes[0].words


def test_a_constant_gain_is_found_though_documents_differ_far_more_than_runs():
    words = bits_words(documents(20), documents(20, shift=-0.02))
    assert words == "better by 0.020 bits, 95 % interval 0.020 to 0.020"
    assert bits_words(documents(20), documents(20, shift=0.02)).startswith("worse by 0.020 bits")


def test_noise_without_a_shift_is_no_evidence_of_a_change():
    words = [bits_words(documents(30), documents(30, noise=0.05, seed=seed)) for seed in range(40)]
    assert sum(NO_EVIDENCE in each for each in words) >= 34


def test_the_interval_of_a_noisy_shift_contains_the_shift():
    found = compared(
        Evidence(documents=documents(200), texts=[]),
        Evidence(documents=documents(200, shift=0.03, noise=0.05), texts=[]),
    )
    low, high = found.changes[0].interval or (0.0, 0.0)
    assert 0.01 < low < 0.03 < high < 0.05


def test_only_the_same_documents_are_compared_and_they_are_counted():
    old = Evidence(documents=documents(20), texts=[])
    new = Evidence(documents=documents(20, first=10, shift=-0.5), texts=[])
    found = compared(old, new)
    assert (found.shared_documents, found.shared_characters) == (10, 10 * CHARACTERS)
    assert (found.changes[0].old, found.changes[0].new) == pytest.approx((2.45, 1.95))
    assert "on 10 of 20 held-out files" in summary(found)
    assert NO_EVIDENCE in found.changes[1].words


def test_few_shared_documents_have_no_verdict():
    old = Evidence(documents=documents(5), texts=[])
    found = compared(old, Evidence(documents=documents(5, shift=-1.0), texts=[]))
    assert found.changes == []
    assert summary(found).startswith("Too few files")


def test_samples_are_compared_by_temperature_and_length_in_points():
    old = Evidence(documents=[], texts=[*texts(2), *texts(1, temperature=0.5)])
    new = Evidence(documents=[], texts=texts(5))
    changes = {change.label: change.words for change in compared(old, new).changes}
    assert list(changes) == [
        "functions that parse, temperature 0.8",
        "compressed size, temperature 0.8",
    ]
    words = changes["functions that parse, temperature 0.8"]
    assert words.startswith("better by 30.0 points, 95 % interval 24.2 to 35.5")
    assert NO_EVIDENCE in changes["compressed size, temperature 0.8"]
    longer = Evidence(documents=[], texts=texts(5, characters=600))
    assert compared(old, longer).changes == []


def test_few_samples_have_no_verdict():
    old = Evidence(documents=[], texts=texts(0, count=5))
    changes = compared(old, Evidence(documents=[], texts=texts(9, count=5))).changes
    assert {change.words for change in changes} == {"too few texts for a verdict"}


def test_evidence_reads_back_as_it_was(tmp_path):
    control = dataclasses.replace(texts(1, count=1)[0], role="control", temperature=None)
    evidence = Evidence(documents=documents(3, noise=0.1), texts=[*texts(2, count=3), control])
    evidence.save(tmp_path)
    assert load_evidence(tmp_path) == evidence


def test_a_run_without_evidence_is_refused_in_one_line(tmp_path):
    with pytest.raises(ReportError, match="kept no bits per document; evaluate again"):
        load_evidence(tmp_path)


@pytest.mark.parametrize("name", ["documents.parquet", "texts.parquet"])
@pytest.mark.parametrize("content", [b"", b"PAR1 cut off", None])
def test_damaged_evidence_is_refused_in_one_line(tmp_path, name, content):
    Evidence(documents=documents(2), texts=texts(2, count=2)).save(tmp_path)
    if content is None:
        pq.write_table(pa.table({"path": ["a"]}), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        ReportError, match=re.escape(f"{tmp_path / name}: damaged, or of")
    ) as caught:
        load_evidence(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_report_says_what_changed():
    old = Evidence(documents=documents(20), texts=texts(2))
    change = compared(old, Evidence(documents=documents(20, shift=-0.02), texts=texts(2)))
    evaluation = example_evaluation(change=change)
    page = html(evaluation)
    assert 'id="change"' in page
    for text in (page, markdown(evaluation)):
        assert "What changed since the previous run" in text
        assert "better by 0.020 bits, 95 % interval 0.020 to 0.020" in text
    assert 'id="change"' not in html(example_evaluation())
