import random

import pytest

from evaluation.baselines.compressors import compressor_rows, ppmd_bytes, xz_bytes, zstd_bytes
from evaluation.baselines.ladder import HeldOut, best_ngram
from evaluation.report.render import html, markdown
from evaluation.report.view import View
from evaluation.results import LadderRow
from modeling.vocab import Vocabulary
from tests.evaluation.example import example_evaluation

NOISE = random.Random(0).randbytes(20_000)


@pytest.mark.parametrize("size", [xz_bytes, zstd_bytes, lambda a, b: ppmd_bytes(16, a, b)])
def test_training_text_costs_next_to_nothing_and_noise_its_length(size):
    assert size(NOISE, NOISE) < 400
    assert size(b"", NOISE) == pytest.approx(len(NOISE), rel=0.05)
    assert size(NOISE[:10_000], NOISE[10_000:]) == pytest.approx(10_000, rel=0.05)


@pytest.mark.parametrize("size", [xz_bytes, zstd_bytes])
def test_a_dictionary_spans_all_of_the_training_text(size):
    far = random.Random(1).randbytes(1_000_000)
    assert size(NOISE + far, NOISE) < 1_000
    assert size(b"", NOISE + far + NOISE) < len(NOISE + far) + 1_000


def test_every_compressor_has_two_adaptive_rows_unprimed_and_primed():
    train, test = ["caf\u00e9 au lait, " * 40] * 3, ["caf\u00e9 noir, " * 30, "lait\ud800"]
    held_out = HeldOut(
        ids=[],
        characters=HeldOut.of(["x"], Vocabulary(("x",))).characters * sum(map(len, test)),
        utf8_bytes=HeldOut.of(["x"], Vocabulary(("x",))).utf8_bytes * 999,
    )
    rows = list(compressor_rows(train, test, held_out))
    assert [row.name for row in rows] == [
        name + how
        for name in ("xz -9e", "zstd -22", "PPMd 6", "PPMd 16")
        for how in (", unprimed", "")
    ]
    assert {row.kind for row in rows} == {"adaptive"}
    for unprimed, primed in zip(rows[::2], rows[1::2], strict=True):
        assert 0 < primed.bits_per_char < unprimed.bits_per_char
        assert primed.bits_per_byte == pytest.approx(
            primed.bits_per_char * sum(map(len, test)) / 999
        )


def test_the_report_keeps_the_classes_apart_and_compares_with_static_rows_only():
    adaptive = LadderRow(name="PPMd 16", kind="adaptive", bits_per_char=1.2, bits_per_byte=1.2)
    evaluation = example_evaluation(ladder=[*example_evaluation().ladder, adaptive])
    view = View(evaluation)
    assert [row.name for row in view.adaptive_rows] == ["PPMd 16"]
    assert "PPMd 16" not in {row.name for row in view.static_rows}
    assert best_ngram(evaluation.ladder).name == "Kneser-Ney 6"
    for page in (html(evaluation), markdown(evaluation)):
        assert (
            page.index("LSTM") < page.index("learn from the held-out files") < page.index("PPMd 16")
        )
