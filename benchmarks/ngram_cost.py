"""What n-gram embeddings cost: speed with them as a share of the speed without.

    python -m benchmarks.ngram_cost

One thread, medians of five interleaved rounds; prints a Markdown row for each work.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch

from modeling.config import ModelConfig, TrainConfig
from modeling.inference.likelihood import surprisals
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.models import build_model
from modeling.models.model import CharModel
from modeling.training.throughput import measure
from modeling.vocab import MARK_ID, SPECIALS, Vocabulary

CHARACTERS = [chr(33 + place) for place in range(98)]
VOCABULARY = Vocabulary.from_counts(Counter(CHARACTERS), min_count=1)
ORDERS = (0, 5)
ROUNDS = 5


def models(hidden: int) -> list[CharModel]:
    """One model for each of the orders, tables filled."""
    shapes = [ModelConfig(hidden_size=hidden, ngram_order=o, ngram_rows=2**17) for o in ORDERS]
    made = [build_model(shape, VOCABULARY.size).eval() for shape in shapes]
    for model in made:
        if model.ngrams is not None:
            torch.nn.init.normal_(model.ngrams.table, std=0.1)
    return made


def speed(work: Callable[[], object], characters: int) -> float:
    """Characters a CPU-second."""
    began = time.process_time()
    work()
    return characters / (time.process_time() - began)


def training(model: CharModel) -> float:
    """Speed of updates on random characters."""
    config = TrainConfig(model=model.config)
    return measure(config, VOCABULARY.size, torch.device("cpu")).characters_per_second


def sampling(model: CharModel, streams: int, length: int) -> float:
    """Speed of all streams together."""
    seeds = range(streams)
    return speed(
        lambda: list(sample(model, VOCABULARY, seeds, SamplingSettings(length=length))),
        streams * length,
    )


def likelihood(model: CharModel) -> float:
    """Speed of scoring 64 documents."""
    drawn = np.random.default_rng(0).integers(SPECIALS, VOCABULARY.size, (64, 2000))
    drawn[:, 0] = MARK_ID
    documents = list(drawn.astype(np.uint16))
    return speed(lambda: list(surprisals(model, VOCABULARY, documents)), drawn.size)


WORKS: dict[str, Callable[[CharModel], float]] = {
    "training": training,
    "sampling, one stream": lambda model: sampling(model, 1, 10_000),
    "sampling, 64 streams": lambda model: sampling(model, 64, 1_500),
    "likelihood": likelihood,
}


def main() -> None:
    """Measure all works on two shapes."""
    torch.set_num_threads(1)
    print("| shape | work | without | with n-grams to order 5 | share |\n|---|---|---|---|---|")
    for hidden in (256, 384):
        compared = models(hidden)
        for name, work in WORKS.items():
            rounds = [[work(model) for model in compared] for _ in range(ROUNDS)]
            without, with_them = (statistics.median(column) for column in zip(*rounds, strict=True))
            cells = (f"1x{hidden}", name, f"{without:,.0f}", f"{with_them:,.0f}")
            print(f"| {' | '.join(cells)} | {with_them / without:.2f} |", flush=True)


if __name__ == "__main__":
    main()
