"""Measure what this machine can do, side by side: `python -m benchmarks`, or `make bench`.

Rivals run interleaved, A B A B, after one warm-up; medians with minimum and maximum are printed,
and ratios, because absolute times on shared machines prove little.
"""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from benchmarks.rivals import idle
from evaluation.languages import LANGUAGES
from modeling.config import ModelConfig
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.models.lstm import CharLSTM
from modeling.presets import PRESETS
from modeling.vocab import Vocabulary

ROUNDS = 5
SIZES = ((2, 128), (2, 256), (1, 256))
VOCABULARY = Vocabulary(tuple(map(chr, range(32, 127))))

Timed = Callable[[], float]
"""Does some work and gives its rate."""


def interleaved(rivals: dict[str, Timed]) -> dict[str, list[float]]:
    """Rates of every rival, one after another in each round, the warm-up left out."""
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(ROUNDS + 1):
        for name, measure in rivals.items():
            rate = measure()
            if turn:
                rates[name].append(rate)
    return rates


def show(title: str, unit: str, rates: dict[str, list[float]]) -> None:
    """Print medians, ranges and ratios to the last rival."""
    print(f"\n{title} ({unit}; median of {ROUNDS}, min to max, ratio to the last row)")
    base = statistics.median(list(rates.values())[-1])
    for name, values in rates.items():
        middle = statistics.median(values)
        spread = f"{_figure(min(values))} to {_figure(max(values))}"
        print(f"  {name:<38} {_figure(middle):>12}   {spread:<24} {middle / base:8.3g} x")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def nothing_to_do() -> dict[str, list[float]]:
    """Seconds of a run with nothing to do, of dvc with nothing to do, and to start Python."""
    with tempfile.TemporaryDirectory() as folder:
        spent = idle.rounds(Path(folder), ROUNDS)
    return {name: [one.wall for one in each] for name, each in spent.items()}


def training(layers: int, hidden: int) -> dict[str, list[float]]:
    """Characters/s of our update, compared with the recipe of one prediction per window of 80."""
    from modeling.engines.batches import Batches
    from modeling.engines.learner import Learner
    from modeling.engines.race import engine_for

    config = PRESETS["smoke"]
    shape = ModelConfig(embedding_size=64, hidden_size=hidden, num_layers=layers)
    config = type(config)(model=shape, budget=config.budget, batch_size=64, chunk_length=64)
    stream = torch.randint(2, VOCABULARY.size, (200_000,)).to(torch.uint16).numpy()
    stream[::5000] = 0
    engine = engine_for(config, VOCABULARY.size, torch.device("cpu"))
    learner = Learner(config, VOCABULARY.size, 64, torch.device("cpu"), engine=engine)
    batches = Batches(stream, batch_size=64, chunk_length=64, jump_probability=0.0, seed=0)

    def ours() -> float:
        began, done, step = time.perf_counter(), 0, 0
        while time.perf_counter() - began < 1.5:
            batch = batches.next(step, jump=False)
            with engine.in_use():
                learner.update(batch, 1e-3, 0)
            done, step = done + batch.characters, step + 1
        return done / (time.perf_counter() - began)

    return interleaved({"charmill": ours, "one target per window of 80": _windows(layers, hidden)})


def _windows(layers: int, hidden: int) -> Timed:
    """The recipe of the old posts in torch: one-hot windows, the last target only."""
    size, window, batch = VOCABULARY.size, 80, 128
    rnn = nn.LSTM(size, hidden, layers, batch_first=True)
    output = nn.Linear(hidden, size)
    optimizer = torch.optim.RMSprop([*rnn.parameters(), *output.parameters()])

    def measure() -> float:
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < 1.5:
            ids = torch.randint(0, size, (batch, window + 1))
            values, _ = rnn(nn.functional.one_hot(ids[:, :-1], size).float())
            loss = nn.functional.cross_entropy(output(values[:, -1]), ids[:, -1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += batch
        return done / (time.perf_counter() - began)

    return measure


def sampling(layers: int, hidden: int) -> dict[str, list[float]]:
    """Characters/s of 64 streams and of one, compared with nn.LSTM fed one character at a time."""
    shape = ModelConfig(embedding_size=64, hidden_size=hidden, num_layers=layers)
    model = CharLSTM(shape, VOCABULARY.size).eval()

    def streams(count: int, length: int) -> Timed:
        def measure() -> float:
            began = time.perf_counter()
            for _ in sample(model, VOCABULARY, range(count), SamplingSettings(length=length)):
                pass
            return count * length / (time.perf_counter() - began)

        return measure

    @torch.inference_mode()
    def one_by_one() -> float:
        ids, state, began = torch.zeros((1, 1), dtype=torch.int64), None, time.perf_counter()
        for _ in range(500):
            logits, state = model(ids, state)
            ids = torch.multinomial(logits[:, -1].softmax(-1), 1)
        return 500 / (time.perf_counter() - began)

    rivals = {"charmill, 64 streams": streams(64, 500), "charmill, one": streams(1, 2000)}
    return interleaved({**rivals, "nn.LSTM, one character a call": one_by_one})


def lexers() -> dict[str, list[float]]:
    """MB/s of the bracket lexer over Python's library, compared with decoding the bytes."""
    paths = sorted(Path(os.__file__).parent.glob("*.py"))
    contents = [path.read_bytes() for path in paths]
    megabytes = sum(map(len, contents)) / 1e6

    def rate(work: Callable[[str], object]) -> Timed:
        def measure() -> float:
            began = time.perf_counter()
            for content in contents:
                work(content.decode())
            return megabytes / (time.perf_counter() - began)

        return measure

    # Python text as input does no harm: what is measured is the speed, not the verdict.
    names = [name for name in LANGUAGES if name not in ("python", "prose")]
    rivals = {f"{name} scorer": rate(LANGUAGES[name].scorer.score_file) for name in names}
    return interleaved({**rivals, "decoding alone": rate(len)})


def main() -> None:
    """Print every table."""
    print(f"Python {platform.python_version()}, torch {torch.__version__}", end=", ")
    print(f"{torch.get_num_threads()} threads, {platform.machine()}")
    show("Nothing to do", "seconds", nothing_to_do())
    for layers, hidden in SIZES:
        show(f"Training {layers}x{hidden}", "characters/s", training(layers, hidden))
    for layers, hidden in SIZES:
        show(f"Sampling {layers}x{hidden}", "characters/s", sampling(layers, hidden))
    show("Lexers", "MB/s", lexers())


if __name__ == "__main__":
    main()
