"""Training, sampling and scoring by the native kernel, by torch, and by the loops of others.

    python -m benchmarks.engine

One thread. Rivals run interleaved after one warm-up; each row gives the median of characters per
CPU-second with minimum and maximum, its ratio to the last row, and the share of what this core does
in a product of two matrices, measured between the rounds by both libraries that torch brings along,
of which the faster counts. Useful work of a character is 8 H^2 (2L - 1) + 2 H V floating-point
operations forward and three times that in training (the first layer's input is a row of a table).
"charmill" computes as it chooses by itself, and the choice is printed with its reason; the product
of matrices is of float32.
Keras' recipe trains one in 80 characters it reads and is charged for one.

The last table is wall time with two threads while another process keeps a core busy.

Keras is measured where this interpreter can import it, with tensorflow or with torch beneath: in
training, and as it samples and scores in the posts, one prediction for each window of 80.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils import mkldnn

from benchmarks.keras_rivals import KERAS, Work, keras_predictions, keras_recipe
from modeling.config import ModelConfig, Precision, TrainConfig
from modeling.engines.batches import Batches
from modeling.engines.learner import Learner
from modeling.engines.race import engine_for
from modeling.inference.likelihood import surprisals
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.models.lstm import CharLSTM
from modeling.vocab import Vocabulary

ROUNDS = 5
SECONDS = 0.5
SIZES = ((2, 128), (2, 256), (3, 512), (1, 512))
STREAMS, LENGTH = 64, 64
VOCABULARY = Vocabulary(tuple(map(chr, range(32, 127))))
STREAM = np.random.default_rng(0).integers(2, VOCABULARY.size, 400_000).astype(np.uint16)
STREAM[::20_000] = 0


def shape_of(layers: int, hidden: int) -> ModelConfig:
    """The shape that all rivals can have."""
    return ModelConfig(embedding_size=64, hidden_size=hidden, num_layers=layers, output_norm=False)


def by(engine: str, make: Callable[[], Work]) -> Work:
    """Work that is prepared and done by our "kernel" or by "torch"."""
    switch = str(int(engine == "kernel"))

    def switched() -> int:
        os.environ["CHARMILL_NATIVE"] = switch
        return work()

    os.environ["CHARMILL_NATIVE"] = switch
    work = make()
    return switched


def ours(layers: int, hidden: int, precision: Precision = "auto") -> Work:
    """Updates of our learner."""
    config = TrainConfig(
        model=shape_of(layers, hidden),
        batch_size=STREAMS,
        chunk_length=LENGTH,
        precision=precision,
    )
    device = torch.device("cpu")
    engine = engine_for(config, VOCABULARY.size, device)
    print(f"{layers}x{hidden}, {precision}: {engine}; {engine.reason}")
    learner = Learner(config, VOCABULARY.size, STREAMS, device, engine=engine)
    batches = Batches(STREAM, batch_size=STREAMS, chunk_length=LENGTH)

    def update() -> int:
        batch = batches.next(0)
        with engine.in_use():
            learner.update(batch, 1e-3, 0)
        return batch.characters

    return update


def loop(layers: int, hidden: int, *, step: int) -> Work:
    """nn.LSTM, `step` characters a call: 64 is its best use, 1 the loop of char-rnn.pytorch."""
    model = CharLSTM(shape_of(layers, hidden), VOCABULARY.size)
    rnn = nn.LSTM(64, hidden, layers)
    modules = nn.ModuleList((model.embedding, rnn, model.output))
    optimizer = torch.optim.Adam(modules.parameters())
    shape = (layers, STREAMS, hidden)
    state = torch.zeros(shape), torch.zeros(shape)

    def update() -> int:
        nonlocal state
        ids = torch.randint(VOCABULARY.size, (LENGTH + 1, STREAMS))
        loss = torch.zeros(())
        for start in range(0, LENGTH, step):
            values, state = rnn(model.embedding(ids[start : start + step]), state)
            wanted = ids[start + 1 : start + step + 1].flatten()
            loss += functional.cross_entropy(model.output(values).flatten(0, 1), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = state[0].detach(), state[1].detach()
        return LENGTH * STREAMS

    return update


def samples(layers: int, hidden: int, streams: int) -> Work:
    """Our sampling."""
    model = CharLSTM(shape_of(layers, hidden), VOCABULARY.size).eval()

    def work() -> int:
        blocks = sample(
            model, VOCABULARY, range(streams), SamplingSettings(length=max(64, 1024 // streams))
        )
        return sum(block.size for block in blocks)

    return work


def one_by_one(layers: int, hidden: int) -> Work:
    """Sampling as tutorials do: nn.LSTM fed one character a call."""
    model = CharLSTM(shape_of(layers, hidden), VOCABULARY.size).eval()
    rnn = nn.LSTM(64, hidden, layers)

    @torch.inference_mode()
    def work() -> int:
        ids, state = torch.zeros((1, 1), dtype=torch.int64), None
        for _ in range(40):
            values, state = rnn(model.embedding(ids), state)
            ids = torch.multinomial(model.output(values)[0].softmax(-1), 1)
        return 40

    return work


def scores(layers: int, hidden: int) -> Work:
    """Our likelihood of 64 documents of 256 characters."""
    model = CharLSTM(shape_of(layers, hidden), VOCABULARY.size).eval()
    documents = [STREAM[start : start + 257] for start in range(0, 64 * 300, 300)]
    documents = [np.where(np.arange(257) == 0, np.uint16(0), document) for document in documents]
    return lambda: sum(len(bits) for _, bits in surprisals(model, VOCABULARY, documents))


def ceiling() -> float:
    """Floating-point operations a second in a product of two matrices, by the faster library."""
    square = torch.ones(512, 512)
    linear = mkldnn.to_mkldnn(nn.Linear(512, 512).eval())

    def repeated(call: Callable[[], Any]) -> int:
        with torch.inference_mode():
            for _ in range(20):
                call()
        return 20 * 2 * 512**3

    blocked = square.to_mkldnn()
    calls = (lambda: square.mm(square)), (lambda: linear(blocked))
    return max(rate(lambda call=call: repeated(call)) for call in calls)


def rate(work: Work, clock: Callable[[], float] = time.process_time) -> float:
    """What `work` does in a second of a clock."""
    began, done = clock(), 0
    while clock() - began < SECONDS:
        done += work()
    return done / (clock() - began)


def table(title: str, rivals: dict[str, Work], operations: float) -> None:
    """Measure and print; `operations` is what a character takes."""
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    ceilings = []
    for turn in range(ROUNDS + 1):
        for name, work in rivals.items():
            done = rate(work) if turn else work()
            rates[name] += [done] * (turn > 0)
        ceilings.append(ceiling())
    base = statistics.median(list(rates.values())[-1])
    most = statistics.median(ceilings)
    print(f"\n{title}, characters/s; a product of matrices: {most / 1e9:.1f} GFLOP/s")
    for name, values in rates.items():
        middle = statistics.median(values)
        share = f"{middle * operations / most:6.0%}"
        spread = f"{min(values):,.0f} to {max(values):,.0f}"
        print(f"  {name:<44}{middle:>11,.0f}  {spread:<22}{middle / base:8.2f} x {share}")


def training(layers: int, hidden: int) -> None:
    """Print the table of one size."""
    rivals = {
        "charmill": by("kernel", lambda: ours(layers, hidden)),
        "charmill, float32": by("kernel", lambda: ours(layers, hidden, "float32")),
        "charmill without its kernel": by("torch", lambda: ours(layers, hidden)),
        "nn.LSTM, stateful, 64 characters a call": loop(layers, hidden, step=LENGTH),
        "char-rnn.pytorch's loop, 1 character a call": loop(layers, hidden, step=1),
    }
    if KERAS:
        size = VOCABULARY.size
        rivals["Keras, all targets, mixed_bfloat16"] = keras_recipe(
            layers, hidden, size, targets="all", dtype="mixed_bfloat16"
        )
        rivals["Keras, all targets"] = keras_recipe(layers, hidden, size, targets="all")
        rivals["Keras, the recipe of the posts"] = keras_recipe(
            layers, hidden, size, targets="last"
        )
    operations = 8 * hidden**2 * (2 * layers - 1) + 2 * hidden * VOCABULARY.size
    table(f"Training {layers}x{hidden}", rivals, 3 * operations)


def reading(layers: int, hidden: int) -> None:
    """Print sampling and likelihood of one size."""
    rivals = {
        f"charmill{how}, {streams} streams": by(
            engine, lambda n=streams: samples(layers, hidden, n)
        )
        for streams in (256, 64, 1)
        for engine, how in (("kernel", ""), ("torch", " without its kernel"))
    }
    rivals["nn.LSTM, 1 character a call, 1 stream"] = one_by_one(layers, hidden)
    if KERAS:
        rivals["Keras, a window a character"] = keras_predictions(
            layers, hidden, VOCABULARY.size, 1
        )
    operations = 8 * hidden**2 * (2 * layers - 1) + 2 * hidden * VOCABULARY.size
    table(f"Sampling {layers}x{hidden}", rivals, operations)
    rivals = {
        "charmill": by("kernel", lambda: scores(layers, hidden)),
        "charmill without its kernel (nn.LSTM)": by("torch", lambda: scores(layers, hidden)),
    }
    if KERAS:
        rivals["Keras, a window a character"] = keras_predictions(
            layers, hidden, VOCABULARY.size, 256
        )
    table(f"Likelihood {layers}x{hidden}", rivals, operations)


def beside_a_neighbour(layers: int, hidden: int) -> None:
    """Print wall speed on two threads, alone and while another process keeps a core busy."""
    # libgomp spins 300,000 times by default.
    spinning = os.environ | {"GOMP_SPINCOUNT": "300000"}
    rivals = {"charmill": dict(os.environ), "nn.LSTM": spinning}
    print(f"\nTraining {layers}x{hidden}, two threads, characters/s of wall time")
    for neighbours in (0, 1):
        never_resting = [sys.executable, "-c", "while 1: pass"]
        busy = [subprocess.Popen(never_resting) for _ in range(neighbours)]
        rates: dict[str, list[float]] = {name: [] for name in rivals}
        try:
            for _ in range(ROUNDS):
                for name, environment in rivals.items():
                    command = [sys.executable, "-m", __spec__.name, name, str(layers), str(hidden)]
                    out = subprocess.run(
                        command, env=environment, stdout=subprocess.PIPE, check=True
                    )
                    rates[name].append(float(out.stdout))
        finally:
            for process in busy:
                process.kill()
                process.wait()
        for name, values in rates.items():
            print(f"  {name:<10}{statistics.median(values):>10,.0f} with {neighbours} neighbours")


def one_rival(name: str, layers: int, hidden: int) -> None:
    """Print the wall speed of one rival: what `beside_a_neighbour` runs."""
    torch.set_num_threads(2)
    with redirect_stdout(sys.stderr):
        work = ours(layers, hidden) if name == "charmill" else loop(layers, hidden, step=LENGTH)
    work()
    print(rate(work, time.perf_counter))


def main() -> None:
    """Print every table."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, batches of {STREAMS} x {LENGTH}")
    if not KERAS:
        print("Keras is not installed in this environment: its rows are omitted")
    for size in SIZES:
        training(*size)
        reading(*size)
    beside_a_neighbour(2, 128)
    beside_a_neighbour(2, 256)


if __name__ == "__main__":
    one_rival(sys.argv[1], *map(int, sys.argv[2:])) if sys.argv[1:] else main()
