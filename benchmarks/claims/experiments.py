"""The claims, and the runs that test each.

An arm is a way to run a dataset; every arm of a claim is run with the same seeds. A claim compares
two arms, or groups of arms, by one measure; the other arms show the curve in between.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.rivals.trained import OURS

Measure = Literal["bits", "gain", "validity", "new units"]
LUA_MIXTURE = ("koreader/koreader", "Kong/kong", "torch/torch7")
SAMPLED = 1_000_000
"""Bytes of files in a corpus, where the claim needs them to be equal."""
ONE_RIVAL: Mapping[str, str] = {"evaluate.ngram_orders": "[6]"}
"""Where no gain over n-grams is asked for, since counting them takes longer than the training."""
DEFAULTS: Mapping[str, str] = {
    "sample.temperatures": "[0.8]",
    "sample.length": "4000",
    "evaluate.test_characters": "300000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A way to run a dataset.

    Attributes:
        settings: of `--set`, beyond DEFAULTS.
        share: of the characters that every training of the trial reads.
        temperature: of the samples that count.
        context: characters before each one that the model sees when bits are counted, math.inf for
            all of its document; None for the report's bits.
    """

    label: str
    dataset: str
    settings: Mapping[str, str]
    share: float = 1.0
    temperature: float = 0.8
    context: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedArm:
    """A recipe of benchmarks.rivals that trains on a text of its own for a number of CPU-seconds.

    Attributes:
        rival: a key of `benchmarks.rivals.trained.RIVALS`.
    """

    label: str
    rival: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim, and how it would show.

    Attributes:
        measures: by each of them `better` is better than `worse` if the claim is true.
        better, worse: labels of arms; of several the mean counts.
    """

    name: str
    text: str
    arms: Sequence[Arm | TimedArm]
    measures: Sequence[Measure]
    better: Sequence[str]
    worse: Sequence[str]


def _sampled(size: int) -> dict[str, str]:
    return {"corpus.sample_bytes": str(size)}


def _language(label: str, dataset: str) -> Arm:
    return Arm(label=label, dataset=dataset, settings=_sampled(SAMPLED))


def _size(size: int) -> Arm:
    return Arm(label=f"{size / 1e6:g} MB", dataset="linux-kernel-dir", settings=_sampled(size))


def _mixture() -> Arm:
    tables = ", ".join(f'{{url = "https://github.com/{name}"}}' for name in LUA_MIXTURE)
    return Arm(
        label="three projects",
        dataset="torch",
        settings={
            "source.repositories": f"[{tables}]",
            "corpus.sample_bytes": str(SAMPLED),
        },
    )


def _chunk(length: int) -> Arm:
    settings = {"train.chunk_length": str(length), "train.batch_size": str(1024 // length)}
    settings |= ONE_RIVAL
    return Arm(label=f"{length} characters", dataset="python-stdlib", settings=settings)


def _context(length: float) -> Arm:
    return Arm(
        label="all seen" if length == math.inf else f"{length} characters seen",
        dataset="python-stdlib",
        settings=ONE_RIVAL,
        context=length,
    )


def _timed(label: str, rival: str, seconds: float) -> TimedArm:
    label = f"{label}, {seconds:g} s"
    return TimedArm(label=label, rival=rival, text="tinyshakespeare", seconds=seconds)


def _temperature(value: float) -> Arm:
    return Arm(
        label=f"T {value:g}",
        dataset="python-stdlib",
        settings={"sample.temperatures": "[0.3, 0.5, 0.65, 0.8, 1.0, 1.2]", **ONE_RIVAL},
        temperature=value,
    )


CLAIMS = (
    Claim(
        name="language",
        text="C is easier to learn than a language of a higher level.",
        arms=[
            _language("C", "linux-kernel-dir"),
            _language("Lua", "torch"),
            _language("Java", "hadoop"),
            _language("Python", "python-stdlib"),
            _language("Scala", "scalaz"),
        ],
        measures=("gain", "validity"),
        better=("C",),
        worse=("Lua", "Java", "Python", "Scala"),
    ),
    Claim(
        name="consistency",
        text="A consistent source gives better samples than a mixture of the same size.",
        arms=[Arm(label="torch alone", dataset="torch", settings=_sampled(SAMPLED)), _mixture()],
        measures=("gain", "validity"),
        better=("torch alone",),
        worse=("three projects",),
    ),
    Claim(
        name="size",
        text="More text gives a better model at the same cost; 1 MB is the least.",
        arms=[_size(n) for n in (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000)],
        measures=("bits", "validity"),
        better=("2 MB", "4 MB", "8 MB"),
        worse=("0.25 MB", "0.5 MB"),
    ),
    Claim(
        name="epochs",
        text="More epochs give a better model.",
        arms=[
            Arm(
                label=f"{share:g} of the budget",
                dataset="python-stdlib",
                settings=ONE_RIVAL,
                share=share,
            )
            for share in (0.25, 0.5, 1.0, 2.0)
        ],
        measures=("bits", "validity"),
        better=("2 of the budget",),
        worse=("1 of the budget",),
    ),
    Claim(
        name="memory",
        text="Gradients through 50 characters are a good compromise: fewer are worse.",
        arms=[_chunk(length) for length in (16, 32, 64, 128)],
        measures=("bits", "validity"),
        better=("64 characters",),
        worse=("16 characters",),
    ),
    Claim(
        name="context",
        text="A model that sees 50 characters predicts the next one better than one that sees 25.",
        arms=[_context(length) for length in (5, 10, 25, 50, 100, 200, 400, math.inf)],
        measures=("bits",),
        better=("50 characters seen",),
        worse=("25 characters seen",),
    ),
    Claim(
        name="windows",
        text="Training on one window for every character is more than thirty times too slow.",
        arms=[
            *(_timed("charmill", OURS, seconds) for seconds in (1, 3, 10)),
            *(_timed("windows", "keras-windows", seconds) for seconds in (30, 100)),
        ],
        measures=("bits",),
        better=("charmill, 3 s",),
        worse=("windows, 100 s",),
    ),
    Claim(
        name="temperature",
        text="Samples are best at temperatures of 0.5 to 0.8.",
        arms=[_temperature(value) for value in (0.3, 0.5, 0.65, 0.8, 1.0, 1.2)],
        measures=("new units",),
        better=("T 0.5", "T 0.65", "T 0.8"),
        worse=("T 0.3", "T 1", "T 1.2"),
    ),
)
