"""A realistic evaluation of a Python corpus, built without any model."""

import dataclasses
import random

from corpora.corpus.summary import FunnelStep
from evaluation.results import (
    CopiedSpan,
    Evaluation,
    LadderRow,
    Mark,
    Metric,
    PreviousRun,
    ReportCurvePoint,
    SampleGroup,
    ShownSample,
    Threat,
)
from modeling.vocab import FILE_MARK

SAMPLE_CHARACTERS = 10_000
HOSTILE = "<script>alert(1)</script> \x1b[31m\u202e</pre> NA null"
WORDS = ["self", "value", "name", "path", "index", "result", "data", "key", "error", "stream"]


def example_evaluation(**changes) -> Evaluation:
    """Three temperatures, floor, control, eight rungs, 200 curve points, six samples."""
    evaluation = Evaluation(
        dataset="python-stdlib",
        title="Python standard library",
        description="The running interpreter's own modules, tests left out.",
        language="python",
        key="3f2a9c41d07be6aa",
        created="2026-11-22T09:14:03Z",
        verdict=(
            "The model needs 1.648 bits per character on unseen files, 3.1 % fewer than the best "
            "n-gram, and at temperature 0.8 71.4 % of the functions it writes parse "
            "(n-gram 22.0 %, real code 98.6 %)."
        ),
        headline="function_parse_rate",
        ladder=_ladder(),
        groups=_groups(),
        curve=_curve(),
        funnel=_funnel(),
        licenses={"PSF-2.0": 652, "MIT": 9, "none found": 16},
        split={
            "train": (609, 9_301_221),
            "validation": (34, 511_004),
            "test": (34, 498_872),
        },
        notes=[
            "41 near-duplicates of held-out text were left out; 6.2 % of the test would leak.",
        ],
        samples=[_sample(seed) for seed in range(6)],
        cost={
            "training": "3 min 0 s, 31,200 characters/s, 2 cores",
            "sampling": "60 samples of 10,000 characters in 41 s",
            "resumed": "2 times",
        },
        identity={
            "corpus digest": "sha256:5b1d0c9e7a44f3d2",
            "model digest": "sha256:e08f6b55ad1290c7",
            "seeds": "0 to 19",
            "interpreter": "Python 3.11.9",
        },
        threats=[
            Threat(
                kind="undertrained",
                text="The model has read 31 % of its training text.",
                remedy="Train longer: charmill run python-stdlib --budget 20m",
            ),
            Threat(
                kind="one training",
                text="The intervals do not include the variation between training seeds.",
                is_general=True,
            ),
        ],
        history=[
            PreviousRun(
                key="a91be0c2",
                created="2026-11-15T09:12:44Z",
                preset="smoke",
                bits_per_char=1.702,
                gain_over_ngram=-0.001,
                headline_metric=0.655,
                seconds=181.0,
            ),
            PreviousRun(
                key="07cc1d9f",
                created="2026-11-08T09:12:40Z",
                preset="smoke",
                bits_per_char=1.811,
                gain_over_ngram=None,
                headline_metric=None,
                seconds=64.0,
            ),
        ],
    )
    return dataclasses.replace(evaluation, **changes)


def prose_evaluation() -> Evaluation:
    """Prose: no headline, no validity metric, one temperature."""
    groups = [
        dataclasses.replace(
            group,
            metrics={
                key: group.metrics[key]
                for key in ("copied_fraction_50", "distinct_ngrams", "repetition", "longest_run")
            },
        )
        for group in _groups()
        if group.temperature in (None, 0.8)
    ]
    return example_evaluation(
        dataset="shakespeare",
        title="Shakespeare",
        language="prose",
        headline=None,
        verdict="The model needs 2.04 bits per character, 6.8 % fewer than the best n-gram.",
        groups=groups,
        history=[],
        notes=[],
    )


def _ladder() -> list[LadderRow]:
    rows = [
        ("uniform", "uniform", 6.644, None),
        ("unigram", "unigram", 4.394, 4.388),
        ("Kneser-Ney 2", "ngram", 3.118, 3.071),
        ("Kneser-Ney 3", "ngram", 2.401, 2.259),
        ("Kneser-Ney 4", "ngram", 1.998, 1.644),
        ("Kneser-Ney 5", "ngram", 1.794, 1.197),
        ("Kneser-Ney 6", "ngram", 1.701, 0.844),
        ("LSTM", "model", 1.648, 1.571),
    ]
    return [
        LadderRow(
            name=name,
            kind=kind,
            bits_per_char=bits,
            bits_per_byte=bits * 0.998,
            train_bits_per_char=train,
            interval=(bits - 0.04, bits + 0.05),
        )
        for name, kind, bits, train in rows
    ]


def _groups() -> list[SampleGroup]:
    qualities = [
        ("n-gram floor", "floor", None, 0.22),
        ("model, T = 0.5", "model", 0.5, 0.81),
        ("model, T = 0.8", "model", 0.8, 0.714),
        ("model, T = 1.0", "model", 1.0, 0.52),
        ("real code", "control", None, 0.986),
    ]
    return [
        SampleGroup(
            name=name,
            role=role,
            temperature=temperature,
            texts=60 if role == "control" else 20,
            characters_each=SAMPLE_CHARACTERS,
            metrics=_metrics(quality),
            outcomes={"ok": 19, "timeout": 1} if role == "floor" else {"ok": 20},
        )
        for name, role, temperature, quality in qualities
    ]


def _metrics(quality: float) -> dict[str, Metric]:
    def metric(value: float, n: int, width: float = 0.2) -> Metric:
        high = value * (1 + width)
        return Metric(
            value=value, n=n, interval=(value * (1 - width), high if value > 1 else min(high, 1.0))
        )

    wrong = 1 - quality
    return {
        "new_units_per_kb": metric(1.4 * quality, 200, 0.1),
        "function_parse_rate": metric(quality, 412, 0.05),
        "toplevel_parse_rate": metric(quality * 0.97, 96, 0.08),
        "file_parse_rate": metric(round(9 * quality) / 9, 9, 0.3),
        "whole_sample_parse": Metric(value=None, n=0),
        "nesting_mismatches_per_kb": metric(wrong * 1.1, 200),
        "unterminated_literals_per_kb": metric(wrong * 0.4, 200),
        "swallowed_fraction": metric(wrong * 0.2, 200_000),
        "units_per_kb": metric(2.1 - wrong / 2, 200, 0.1),
        "copied_fraction_50": metric(0.02 + 0.05 * quality, 200_000, 0.4),
        "longest_copy": Metric(value=44 + 90 * quality, n=20, interval=(60.0, 180.0)),
        "distinct_ngrams": metric(0.44 + 0.2 * wrong, 199_900, 0.05),
        "repetition": metric(0.21 + 0.2 * wrong, 200_000, 0.05),
        "longest_run": Metric(value=24.5, n=20, interval=(20.0, 31.0)),
        "repeated_lines_fraction": metric(0.30 - 0.2 * wrong, 5_120, 0.1),
    }


def _curve() -> list[ReportCurvePoint]:
    return [
        ReportCurvePoint(
            characters=28_000 * step,
            seconds=0.9 * step,
            train_bits=1.5 + 5.0 * step**-0.6,
            validation_bits=1.6 + 5.0 * step**-0.62 if step % 20 == 0 else None,
        )
        for step in range(1, 201)
    ]


def _funnel() -> list[FunnelStep]:
    steps = [
        ("found in the source", 1841, 38_200_000),
        ("extension is .py", 1690, 33_900_000),
        ("not a test", 742, 12_400_000),
        ("not generated", 731, 11_300_000),
        ("line length", 728, 11_200_000),
        ("exact duplicate", 701, 10_700_000),
        ("near duplicate", 677, 10_311_097),
    ]
    before = [steps[0], *steps[:-1]]
    return [
        FunnelStep(
            reason=name,
            files_left=files,
            bytes_left=size,
            files_dropped=files_before - files,
            bytes_dropped=size_before - size,
        )
        for (name, files, size), (_, files_before, size_before) in zip(steps, before, strict=True)
    ]


def _sample(seed: int) -> ShownSample:
    text = _text(random.Random(seed))
    generator = random.Random(1000 + seed)
    copied = [
        CopiedSpan(start=220, end=310, path="json/decoder.py", license="PSF-2.0"),
        CopiedSpan(start=1500, end=1566, path="email/header.py", license=None),
        CopiedSpan(start=6000, end=6200, path="asyncio/queues.py", license="PSF-2.0"),
    ]
    return ShownSample(
        seed=seed,
        temperature=(0.5, 0.8, 1.0)[seed % 3],
        text=text,
        first_error=Mark(offset=640 + seed, message="invalid syntax") if seed else None,
        copied=copied if seed % 2 else copied[:1],
        surprisal=[round(generator.expovariate(0.6), 3) for _ in text],
    )


def _text(generator: random.Random) -> str:
    """Python-like text with a file mark, a control sequence and markup in it."""
    lines = ["import os", "", HOSTILE]
    while sum(map(len, lines)) + len(lines) < SAMPLE_CHARACTERS:
        words = [generator.choice(WORDS) for _ in range(6)]
        lines += [
            f"def {words[0]}_{words[1]}(self, {words[2]}=None):",
            f'    """Return the {words[3]} of the {words[4]}."""',
            f"    if not isinstance({words[2]}, {words[3].title()}):",
            f"        raise TypeError('{words[4]} must be {words[5]}')",
            f"    return self._{words[0]}.{words[5]}({words[2]})[0]",
            FILE_MARK if generator.random() < 0.1 else "",
        ]
    return "\n".join(lines)[:SAMPLE_CHARACTERS]
