"""What `benchmarks.gpu` measures with: sizes, texts, the time that is left, the file of results."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from corpora.corpus.parquet import read_documents
from modeling.config import Budget, TrainConfig
from modeling.presets import PRESETS
from modeling.vocab import Ids, Vocabulary

NAMES = ("large", "base", "smoke", "post-hadoop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large everything is.

    Attributes:
        seconds: that a row of a table measures.
        square: width of the matrices whose product is the ceiling.
        batches: streams in training, in addition to a preset's.
        streams: in sampling.
        length: characters a stream.
        documents: for likelihood.
        characters: of made-up text, where there is no corpus.
    """

    seconds: float = 1.0
    square: int = 8192
    batches: tuple[int, ...] = (1024, 256)
    streams: tuple[int, ...] = (1, 64, 1024, 4096)
    length: int = 512
    documents: int = 256
    characters: int = 8_000_000


TINY = Sizes(
    seconds=0.05,
    square=64,
    batches=(8,),
    streams=(1, 3),
    length=100,
    documents=4,
    characters=40_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Encoded documents, each with its mark in front."""

    source: str
    vocabulary: Vocabulary
    stream: Ids
    validation: list[Ids]
    test: list[Ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything that a step is given.

    Attributes:
        device: to measure.
        tiny: presets are replaced by small ones of their kind.
        sizes: of the measurements.
        texts: to train on, sample from and score.
        corpus: folder of the dataset's corpus, where the real training finds it.
    """

    device: torch.device
    tiny: bool
    sizes: Sizes
    texts: Texts
    corpus: Path

    @property
    def on_cuda(self) -> bool:
        """Whether what needs CUDA can be measured."""
        return self.device.type == "cuda"

    @property
    def row_seconds(self) -> float:
        """About what a row of a table takes: making the model, warming up, measuring."""
        return 1.0 if self.tiny else 5.0

    def preset(self, name: str) -> TrainConfig:
        """A preset that trains without end and validates next to nothing."""
        config = replace(
            PRESETS[name],
            budget=Budget(characters=10**13),
            validation_every=1.0,
            validation_characters=2000,
        )
        if not self.tiny:
            return config
        model = replace(config.model, embedding_size=8, hidden_size=16, ngram_rows=50)
        return replace(config, model=model, batch_size=4, chunk_length=8)

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)


def read_texts(corpus: Path, sizes: Sizes) -> Texts:
    """The first documents of a corpus, or made-up text where there is none."""
    if corpus.is_dir():
        return _read_corpus(corpus, sizes)
    generator = np.random.default_rng(0)
    vocabulary = Vocabulary(tuple(map(chr, range(32, 127))))
    # Characters follow Zipf's law: how often a row of the table of n-grams is hit depends on it.
    weights = 1 / np.arange(1, vocabulary.size - 1)
    drawn = generator.choice(
        np.arange(2, vocabulary.size), size=sizes.characters, p=weights / weights.sum()
    )
    stream = drawn.astype(np.uint16)
    stream[:: min(4000, sizes.characters // 20)] = 0
    documents = np.split(stream, np.flatnonzero(stream == 0)[1:])
    return Texts(
        source="made-up text",
        vocabulary=vocabulary,
        stream=stream,
        validation=documents[:2],
        test=documents[: sizes.documents],
    )


def _read_corpus(corpus: Path, sizes: Sizes) -> Texts:
    kept: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    rooms = {"train": sizes.characters, "validation": 10_000, "test": 4000 * sizes.documents}
    for split in ("train", "validation", "test"):
        for document in read_documents(corpus, split):
            if rooms[split] <= 0:
                break
            kept[split].append(document.text)
            rooms[split] -= len(document.text)
    vocabulary = Vocabulary.from_counts(Counter("".join(kept["train"])), min_count=1)
    train, validation, test = map(vocabulary.encode_documents, kept.values())
    return Texts(
        source=str(corpus.parent.name),
        vocabulary=vocabulary,
        stream=np.concatenate(train),
        validation=validation,
        test=test,
    )


@dataclass(slots=True)
class Report:
    """Prints every row as soon as it is known, and keeps all of them in a JSON file.

    Attributes:
        path: of the file.
        deadline: of `time.monotonic`.
        rows: so far.
        failed: names of checks that did not pass.
    """

    path: Path
    deadline: float
    rows: list[dict[str, object]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def left(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - time.monotonic()

    def say(self, step: str, name: str, **values: object) -> None:
        """Add a row."""
        self.rows.append({"step": step, "name": name, **values})
        shown = "  ".join(f"{key} {_figure(value)}" for key, value in values.items())
        print(f"{step:<11} {name:<34} {shown}", flush=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=1), encoding="utf-8")

    def skip(self, step: str, name: str, why: str) -> None:
        """Say that a row is not measured."""
        self.say(step, name, skipped=why)

    def check(self, step: str, name: str, passed: bool, **values: object) -> None:
        """Add a row of something that can fail."""
        if not passed:
            self.failed.append(f"{step}: {name}")
        self.say(step, name, result="passed" if passed else "FAILED", **values)

    def has(self, seconds: float, step: str, name: str) -> bool:
        """Whether so much time is left; says so if it is not."""
        if self.left() >= seconds:
            return True
        self.skip(step, name, f"{max(0, self.left()):.0f} s left, {seconds:.0f} needed")
        return False


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
