"""Speed of training, sampling and scoring on a device, compared with plain nn.LSTM code."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.setting import NAMES, Report, Setting
from modeling.config import ModelConfig, TrainConfig
from modeling.errors import ModelingError
from modeling.inference.likelihood import bits_of_documents
from modeling.inference.noise import CounterNoise
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.inference.writing import Writer
from modeling.models import build_model
from modeling.models.lstm import LSTMStepper
from modeling.models.model import CharModel
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from modeling.vocab import MARK_ID

_PLAIN_UPDATES = 8
"""Between two looks at the clock: a look waits for the device."""


def products(setting: Setting, report: Report) -> float:
    """Print the ceilings, products of two matrices; operations a second of the first, bfloat16."""
    ceiling = 0.0
    for name, dtype, tf32 in (
        ("bfloat16", torch.bfloat16, False),
        ("TF32", torch.float32, True),
        ("float32", torch.float32, False),
    ):
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        shape = (setting.sizes.square, setting.sizes.square)
        one, two = (torch.randn(shape, device=setting.device, dtype=dtype) for _ in range(2))
        rate = _rate(setting, lambda a=one, b=two: a @ b) * 2 * setting.sizes.square**3
        ceiling = ceiling or rate
        report.say("products", name, tflops=rate / 1e12)
    torch.set_float32_matmul_precision("high")
    return ceiling


def _rate(setting: Setting, call: Callable[[], object]) -> float:
    """Calls a second."""
    for _ in range(3):
        call()
    setting.synchronize()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < setting.sizes.seconds / 3:
        for _ in range(10):
            call()
        setting.synchronize()
        done += 10
    return done / (time.perf_counter() - began)


def training(setting: Setting, report: Report, ceiling: float, reserve: float) -> None:
    """Print a row for every shape, batch and precision, the shape's own batch first.

    Args:
        setting: what to measure with.
        report: takes the rows.
        ceiling: floating-point operations a second of the product of matrices.
        reserve: seconds to leave for what comes after.
    """
    for config, name, engine in _training_rows(setting):
        if not report.has(reserve + setting.row_seconds, "training", name):
            continue
        if config.precision == "bfloat16" and not setting.on_cuda:
            report.skip("training", name, "needs CUDA")
            continue
        if setting.on_cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(setting.device)
        try:
            characters, updates, seconds = engine(setting, config)
        except (RuntimeError, ModelingError) as error:
            report.say("training", name, failed=f"{type(error).__name__}: {str(error)[:200]}")
            continue
        rate = characters / seconds
        flops = rate * operations(config.model, setting.texts.vocabulary.size)
        memory = {}
        if setting.on_cuda:
            memory["peak_gb"] = torch.cuda.max_memory_allocated(setting.device) / 1e9
        report.say(
            "training",
            name,
            chars_per_s=rate,
            ms_per_update=1e3 * seconds / updates,
            tflops=flops / 1e12,
            share=f"{flops / ceiling:.1%}",
            **memory,
        )


Engine = Callable[[Setting, TrainConfig], tuple[int, int, float]]
"""Trains for some time: characters, updates, seconds."""


def _training_rows(setting: Setting) -> Iterator[tuple[TrainConfig, str, Engine]]:
    presets = {name: setting.preset(name) for name in NAMES}
    for batch_size in (None, *setting.sizes.batches):
        for name, config in presets.items():
            if batch_size != config.batch_size:
                streams = batch_size or config.batch_size
                wider = replace(config, precision="bfloat16", batch_size=streams)
                yield _row(name, wider, ours=True)
                yield _row(name, wider, ours=False)
    for name, config in presets.items():
        yield _row(name, replace(config, precision="float32"), ours=True)
        yield _row(name, replace(config, precision="float32"), ours=False)
    narrow = replace(presets["large"].model, ngram_order=0, ngram_dropout=0.0)
    config = replace(presets["large"], model=narrow, precision="bfloat16")
    yield _row("large, no n-grams", config, ours=True)


def _row(name: str, config: TrainConfig, *, ours: bool) -> tuple[TrainConfig, str, Engine]:
    title = f"{name} {config.precision} B{config.batch_size}" + " nn.LSTM" * (not ours)
    return config, title, _by_trainer if ours else _by_plain_torch


def _by_trainer(setting: Setting, config: TrainConfig) -> tuple[int, int, float]:
    texts = setting.texts
    trainer = Trainer(
        TrainingJob(
            config=config,
            vocabulary=texts.vocabulary,
            stream=texts.stream,
            validation=texts.validation,
        ),
        device=setting.device,
    )
    records = trainer.run()
    for _ in range(2):
        next(records)
    setting.synchronize()
    before, began = trainer.totals, time.perf_counter()
    while time.perf_counter() - began < setting.sizes.seconds:
        next(records)
    setting.synchronize()
    seconds, after = time.perf_counter() - began, trainer.totals
    return after.characters - before.characters, after.step - before.step, seconds


class _Plain(nn.Module):
    """What a user would write: one nn.LSTM of the same width and depth, one call."""

    def __init__(self, shape: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        dropout = shape.dropout if shape.num_layers > 1 else 0.0
        self.embedding = nn.Embedding(vocabulary_size, shape.embedding_size)
        self.lstm = nn.LSTM(
            shape.embedding_size, shape.hidden_size, shape.num_layers, dropout=dropout
        )
        self.output = nn.Linear(shape.hidden_size, vocabulary_size)

    def forward(
        self, ids: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits (T, B, V) of ids (T, B), and the state after them."""
        values, state = self.lstm(self.embedding(ids), state)
        return self.output(values), state


def _by_plain_torch(setting: Setting, config: TrainConfig) -> tuple[int, int, float]:
    """Autocast, fused AdamW, clipping, the text on the device."""
    device, shape, texts = setting.device, config.model, setting.texts
    length, streams = config.chunk_length, config.batch_size
    model = _Plain(shape, texts.vocabulary.size).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, fused=setting.on_cuda)
    columns = min(len(texts.stream) // streams, length * 64 + 1)
    ids = torch.from_numpy(texts.stream[: columns * streams].astype(np.int64))
    ids = ids.view(streams, columns).t().contiguous().to(device)
    zeros = torch.zeros(shape.num_layers, streams, shape.hidden_size, device=device)
    state = zeros, zeros.clone()
    place = 0

    def update() -> None:
        nonlocal state, place
        if place + length + 1 > columns:
            place = 0
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits, after = model(ids[place : place + length], state)
            wanted = ids[place + 1 : place + length + 1].flatten()
            loss = functional.cross_entropy(logits.flatten(0, 1), wanted)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state = after[0].detach().float(), after[1].detach().float()
        place += length

    for _ in range(4):
        update()
    setting.synchronize()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < setting.sizes.seconds:
        for _ in range(_PLAIN_UPDATES):
            update()
        setting.synchronize()
        done += _PLAIN_UPDATES
    return done * streams * length, done, time.perf_counter() - began


def operations(shape: ModelConfig, vocabulary_size: int) -> int:
    """Floating-point operations of a character in training: six for each weight of a matrix."""
    widths = [shape.embedding_size] + [shape.hidden_size] * (shape.num_layers - 1)
    gates = sum(4 * shape.hidden_size * (width + shape.hidden_size) for width in widths)
    return 6 * (gates + shape.hidden_size * vocabulary_size)


def some_model(setting: Setting, name: str) -> CharModel:
    """A model of a preset's shape with its first weights, on the device."""
    torch.manual_seed(0)
    shape = setting.preset(name).model
    return build_model(shape, setting.texts.vocabulary.size).eval().to(setting.device)


def sampling(setting: Setting, report: Report, reserve: float) -> None:
    """Print a row for every shape and number of streams, the first block apart."""
    for name in NAMES:
        model = some_model(setting, name)
        for streams in setting.sizes.streams:
            title = f"{name} {streams} streams"
            if not report.has(reserve + setting.row_seconds, "sampling", title):
                continue
            try:
                first, rate = _sampled(setting, model, streams)
            except RuntimeError as error:
                report.say("sampling", title, failed=f"{type(error).__name__}: {str(error)[:200]}")
                continue
            step = 1e6 * streams / rate
            report.say("sampling", title, chars_per_s=rate, us_per_step=step, first_block_s=first)
    _without_graph(setting, report)


def _sampled(setting: Setting, model: CharModel, streams: int) -> tuple[float, float]:
    """Seconds to the first block, the recording included, and characters a second after it."""
    began = time.perf_counter()
    blocks = sample(
        model,
        setting.texts.vocabulary,
        range(streams),
        SamplingSettings(length=setting.sizes.length),
    )
    next(blocks)
    after = time.perf_counter()
    done = sum(block.size for block in blocks)
    return after - began, done / (time.perf_counter() - after)


def _without_graph(setting: Setting, report: Report) -> None:
    """Print what the smallest shape does when every turn is called instead of replayed."""
    title = "smoke 64 streams, no graph"
    if not setting.on_cuda:
        report.skip("sampling", title, "needs CUDA")
        return
    size, model = setting.texts.vocabulary.size, some_model(setting, "smoke")
    room = torch.empty(64, 64, size, device=setting.device)
    writer = Writer(
        LSTMStepper(model, 64),
        np.array([MARK_ID], np.uint16),
        room,
        capture=lambda turn, _device: turn,
    )
    noise = CounterNoise(range(64), size, 1.0, setting.device)
    rate = _rate(setting, lambda: writer.write(noise.draw(64)).cpu()) * 64 * 64
    report.say("sampling", title, chars_per_s=rate, us_per_step=1e6 * 64 / rate)


def likelihood(setting: Setting, report: Report, reserve: float) -> None:
    """Print a row for every shape."""
    documents = setting.texts.test
    characters = sum(len(document) - 1 for document in documents)
    for name in NAMES:
        if not report.has(reserve + setting.row_seconds, "likelihood", name):
            continue
        model = some_model(setting, name)
        bits_of_documents(model, setting.texts.vocabulary, documents[:8])
        began = time.perf_counter()
        bits = bits_of_documents(model, setting.texts.vocabulary, documents)
        seconds = time.perf_counter() - began
        per_character = float(bits.sum()) / characters
        report.say(
            "likelihood", name, chars_per_s=characters / seconds, bits_per_char=per_character
        )
