"""Held-out bits per character at equal CPU time: charmill, other recipes, n-grams.

    python -m benchmarks.quality TEXT ... [--cpu-minutes 10] [--preset base] [--seeds 3]

A TEXT is the folder of a corpus that charmill built, or a plain text file, of which the last tenth
is held out and the first twentieth is for validation. Every training has one thread and so many
CPU-minutes; prints a Markdown row for each result as it comes. Models that adapt are measured by
`python -m benchmarks.rivals`.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers import PEERS, Recipe, train
from corpora.corpus.parquet import read_documents
from evaluation.baselines.compressors import ppmd_bytes
from evaluation.baselines.ngram import NgramCounts
from modeling.config import Budget, TrainConfig, train_config_with
from modeling.inference.likelihood import surprisals
from modeling.models.model import CharModel
from modeling.presets import PRESETS
from modeling.training.job import TrainingJob
from modeling.training.progress import Totals
from modeling.training.trainer import Trainer
from modeling.vocab import UNKNOWN_ID, Ids, Vocabulary

CPU = torch.device("cpu")
ORDERS = range(5, 13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Encoded documents, each with its mark in front."""

    name: str
    vocabulary: Vocabulary
    train: list[Ids]
    validation: list[Ids]
    test: list[Ids]

    @property
    def stream(self) -> Ids:
        """The training documents, concatenated."""
        return np.concatenate(self.train)


def load(path: Path) -> Texts:
    """Read a corpus folder, or cut a text file: 5 % validation, 85 % training, 10 % test."""
    if path.is_dir():
        parts = [[d.text for d in read_documents(path, s)] for s in ("train", "validation", "test")]
    else:
        text = path.read_text(encoding="utf-8")
        first, second = len(text) // 20, len(text) * 9 // 10
        parts = [[text[first:second]], [text[:first]], [text[second:]]]
    counts = Counter("".join(parts[0]))
    vocabulary = Vocabulary.from_counts(counts, min_count=2)
    train, validation, test = map(vocabulary.encode_documents, parts)
    name = path.parent.name if path.is_dir() else path.parent.name + "/" + path.name
    return Texts(name=name, vocabulary=vocabulary, train=train, validation=validation, test=test)


def per_character(bits: Sequence[np.ndarray]) -> float:
    """Bits over characters."""
    return float(sum(part.sum() for part in bits) / sum(map(len, bits)))


def charmill(texts: Texts, config: TrainConfig) -> tuple[CharModel, Totals]:
    """Train by our engine, the clock being CPU time; the best model, and the run in numbers."""
    trainer = Trainer(
        TrainingJob(
            config=config,
            vocabulary=texts.vocabulary,
            stream=texts.stream,
            validation=texts.validation,
        ),
        device=CPU,
        clock=time.process_time,
    )
    for _ in trainer.run():
        pass
    return trainer.best_model(), trainer.totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What another recipe came to.

    Attributes:
        bits: per held-out character.
        seconds: of CPU time that its updates took.
    """

    bits: float
    updates: int
    seconds: float


def peer(texts: Texts, recipe: Recipe, seconds: float, seed: int) -> Peer:
    """Train another recipe for a number of CPU-seconds, and score it.

    Of its weights after each tenth of the time those count that are best on the validation text,
    which takes none of the time.
    """
    torch.manual_seed(seed)
    predictor, update = recipe(texts.stream, texts.vocabulary.size)

    def bits(documents: Sequence[Ids]) -> float:
        scored = [nats / math.log(2) for nats in predictor.nats(documents)]
        for part, document in zip(scored, documents, strict=True):
            part[document[1:] == UNKNOWN_ID] += texts.vocabulary.unknown_bits
        return per_character(scored)

    updates, spent = train(predictor, update, lambda: bits(texts.validation), seconds)
    return Peer(bits=bits(texts.test), updates=updates, seconds=spent)


def static(texts: Texts, model: CharModel) -> list[np.ndarray]:
    """Bits of every held-out character under the fixed model, per document."""
    scored = dict(surprisals(model, texts.vocabulary, texts.test))
    return [scored[index] for index in range(len(texts.test))]


def ngrams(texts: Texts) -> dict[int, list[np.ndarray]]:
    """Bits of every held-out character under Kneser-Ney models of all orders, per document."""
    counts = NgramCounts(texts.train, texts.vocabulary, max(ORDERS))
    return {order: list(counts.model(order).bits(texts.test)) for order in ORDERS}


def ppmd(texts: Texts) -> float:
    """Bits per held-out character of PPMd order 16, primed with the training text; it adapts."""
    before, after = (
        b"".join(b"\0" + texts.vocabulary.decode(ids[1:]).encode() for ids in documents)
        for documents in (texts.train, texts.test)
    )
    return 8 * ppmd_bytes(16, before, after) / sum(len(ids) - 1 for ids in texts.test)


def mixed(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """Bits per character of the even mixture of two predictors."""
    pairs = zip(first, second, strict=True)
    return per_character([-np.log2((2.0**-a + 2.0**-b) / 2) for a, b in pairs])


def rows(texts: Texts, arguments: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Every result on one text, as it comes."""
    seconds = 60 * arguments.cpu_minutes
    asked = arguments.recipes.split(",")
    grams: dict[int, list[np.ndarray]] = {}
    if "kneser-ney" in asked:
        grams = ngrams(texts)
        yield from ((f"Kneser-Ney {order}", per_character(bits)) for order, bits in grams.items())
    if "ppmd" in asked:
        yield "PPMd 16, primed (it adapts)", ppmd(texts)
    for name in PEERS:
        if name in asked:
            yield name, peer(texts, PEERS[name], seconds, arguments.first_seed).bits
    if "charmill" not in asked:
        return
    changes = dict(pair.split("=", 1) for pair in arguments.set)
    base = train_config_with(PRESETS[arguments.preset], changes)
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        config = replace(base, budget=Budget(seconds=seconds), seed=seed)
        model, totals = charmill(texts, config)
        bits = static(texts, model)
        words = " ".join([arguments.preset, *arguments.set])
        seen = f"{totals.characters / 1e6:.1f} M characters, validation {totals.best_bits:.4f}"
        yield f"charmill {words} seed {seed}, {seen}", per_character(bits)
        if grams:
            yield (
                "the same + Kneser-Ney, even mixture",
                mixed(bits, min(grams.values(), key=per_character)),
            )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Held-out bits per character at equal CPU time.")
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--cpu-minutes", type=float, default=10)
    parser.add_argument("--recipes", default=",".join(["charmill", "kneser-ney", "ppmd", *PEERS]))
    parser.add_argument("--preset", default="base", choices=list(PRESETS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| text | what | held-out bits/character |\n|---|---|---|", flush=True)
    for path in arguments.texts:
        texts = load(path)
        for what, bits in rows(texts, arguments):
            print(f"| {texts.name} | {what} | {bits:.4f} |", flush=True)


if __name__ == "__main__":
    main()
