"""The race that chooses the engine of a training, and the cache of its results.

Every candidate trains a small model of the same shape on random characters, for a few hundredths of
a second. Candidates take turns on one thread and are timed by its CPU time, so a busy machine does
not change the result. The result is cached for a month in the user's cache folder, by processor,
kernel, torch and shape. The best number of threads depends on the current load: each training times
the winner on all, half and a quarter of the threads.
"""

import functools
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from modeling.config import TrainConfig
from modeling.device import processor_name
from modeling.engines.batches import Batches
from modeling.engines.distributed import ALONE, Group
from modeling.engines.engine import (
    Engine,
    enough_threads,
    fastest,
    measured,
    reason_of,
    torch_trains_in_bfloat16,
)
from modeling.engines.engine_cache import recall, remember
from modeling.engines.learner import Learner
from modeling.errors import DeviceError
from modeling.models import model_class
from modeling.native.library import library, library_name
from modeling.vocab import MARK_ID, SPECIALS

_BUDGET = 0.3
"""Approximate seconds of the whole race; each candidate is warmed up and runs at least once."""
_OPERATIONS = 6e8
"""Floating-point operations of one turn: about a hundredth of a second."""
_OPERATIONS_OF_THREADS = 10 * _OPERATIONS
"""The same for turns on several threads: in shorter ones the cost of waking them dominates."""
_STREAMS, _LAYERS, _ROWS, _STEPS = (16, 64), 2, 2**10, 16
"""Bounds of what is trained in a turn (streams, layers, rows of n-grams per order, characters).
With wide models or large vocabularies, so few characters overstate the fixed cost of an update,
which favours torch a little."""
_LEAST = 1e-4
"""Seconds; shorter times cannot be distinguished."""
_THREAD_ROUNDS, _ROUNDS_ALONE = 3, 3
_UPDATES_ON_GPU = 8
_FORMAT = 1

_log = logging.getLogger(__name__)


def engine_for(
    config: TrainConfig,
    vocabulary_size: int,
    device: torch.device,
    group: Group = ALONE,
    cache: Path | None = None,
) -> Engine:
    """Choose an engine; it is measured once, then read from the cache.

    Args:
        config: of the training; its precision may leave no choice.
        vocabulary_size: V.
        device: to train on.
        group: the processes that train together; all use the choice of the first one.
        cache: folder of the results; by default the user's.

    Raises:
        DeviceError: nothing on this machine computes in the precision that `config` asks for.
    """
    candidates = _candidates(config, device)
    if group.size == 1:
        return _chosen(config, vocabulary_size, device, cache)
    chosen = _chosen(config, vocabulary_size, device, cache) if group.is_first else candidates[0]
    # Two broadcasts of plain numbers, because one process may lack the kernel.
    native = bool(group.agreed(chosen.native))
    rounded = bool(group.agreed(chosen.precision == "bfloat16"))
    precision = "bfloat16" if rounded else "float32"
    return Engine(native=native, precision=precision, reason=chosen.reason)


def continued(values: Mapping[str, Any], config: TrainConfig, device: torch.device) -> Engine:
    """Return the engine of a checkpoint, or the closest one that this machine has.

    Args:
        values: fields of the checkpoint's engine.
        config: of the training.
        device: to continue on; it may differ from the one the training began on.

    Raises:
        DeviceError: nothing on this machine computes in the precision that `config` asks for.
    """
    begun = Engine(**values)
    # Fewer on a smaller machine, or when other processes take part now; 0 stays 0.
    threads = min(begun.threads, torch.get_num_threads())
    candidates = _candidates(config, device)
    if any(_is_like(begun, candidate) for candidate in candidates):
        return replace(begun, threads=threads)
    nearest = min(candidates, key=lambda candidate: candidate.precision != begun.precision)
    _log.warning("%s began this training but is not available; using %s", begun, nearest)
    return replace(nearest, threads=threads, reason=f"{begun}, which began it, was not available")


def _is_like(one: Engine, other: Engine) -> bool:
    """Whether they agree in everything that candidates differ in."""
    return (one.native, one.precision) == (other.native, other.precision)


def _candidates(config: TrainConfig, device: torch.device) -> list[Engine]:
    """All engines that can compute this training, the preferred first."""
    has_kernel = model_class(config.model).has_native and device.type == "cpu" and library()
    natives = [True, False] if has_kernel else [False]
    architecture = config.model.architecture
    precisions: list[Literal["float32", "bfloat16"]] = ["float32", "bfloat16"]
    candidates = [
        Engine(native=native, precision=precision)
        for precision in precisions
        for native in natives
        if config.precision in ("auto", precision)
        and (native or precision == "float32" or torch_trains_in_bfloat16(architecture, device))
    ]
    if not candidates:
        raise DeviceError(
            f"precision bfloat16: torch does not train {architecture} in it on {device} of this "
            "machine; allowed: auto, float32"
        )
    return candidates


def _chosen(
    config: TrainConfig, vocabulary_size: int, device: torch.device, cache: Path | None
) -> Engine:
    """Choose for one process; everything but the number of threads is cached if possible."""
    key = _key(config, vocabulary_size, device)
    engine = recall(key, cache)
    if engine is None or not any(_is_like(engine, c) for c in _candidates(config, device)):
        began = time.perf_counter()
        engine = _raced(config, vocabulary_size, device)
        _log.info("%s; %s (%.1f s)", engine, engine.reason, time.perf_counter() - began)
        remember(key, engine, cache)
    return replace(engine, threads=_threads(config, vocabulary_size, device, engine))


def _raced(config: TrainConfig, vocabulary_size: int, device: torch.device) -> Engine:
    candidates = _candidates(config, device)
    if device.type != "cpu":
        times = {engine: _alone(config, vocabulary_size, device, engine) for engine in candidates}
        return replace(fastest(times), reason=reason_of(fastest(times), times))
    work = functools.cache(lambda engine: _work(config, vocabulary_size, device, engine))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = measured(candidates, lambda engine: _timed(work(engine), time.thread_time), _BUDGET)
        first = fastest(times)
        return replace(first, reason=reason_of(first, times), wide_tiles=_wide(work, first))
    finally:
        torch.set_num_threads(threads)


def _alone(
    config: TrainConfig, vocabulary_size: int, device: torch.device, engine: Engine
) -> float:
    """Seconds on a GPU: it has no other load, and no memory for two candidates at once."""
    work = _work(config, vocabulary_size, device, engine)
    return min(_timed(work, time.perf_counter) for _ in range(_ROUNDS_ALONE))


def _wide(work: Callable[[Engine], Callable[[], object]], chosen: Engine) -> bool:
    """Whether the kernel's wide tiles are faster on this machine."""
    kernel = library() if chosen.native else None
    if kernel is None or not kernel.has_wide_tiles():
        return False
    tiles = [replace(chosen, wide_tiles=wide) for wide in (False, True)]

    def seconds_of(engine: Engine) -> float:
        with engine.in_use():
            return _timed(work(chosen), time.thread_time)

    return fastest(measured(tiles, seconds_of, _BUDGET / 2)).wide_tiles


def _threads(
    config: TrainConfig, vocabulary_size: int, device: torch.device, engine: Engine
) -> int:
    """Choose the number of threads; OMP_NUM_THREADS overrides the measurement."""
    most = torch.get_num_threads()
    if device.type != "cpu" or most == 1 or "OMP_NUM_THREADS" in os.environ:
        return most
    work = _work(config, vocabulary_size, device, engine, _OPERATIONS_OF_THREADS)
    numbers = sorted({most, max(1, most // 2), max(1, most // 4)}, reverse=True)
    times = dict.fromkeys(numbers, float("inf"))
    for _ in range(_THREAD_ROUNDS):
        for number in numbers:
            with replace(engine, threads=number).in_use():
                times[number] = min(times[number], _timed(work, time.perf_counter))
    return enough_threads(times)


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    # If CPU time is counted in ticks of 10 ms, a short turn takes 0.
    return max(clock() - began, _LEAST)


def _work(
    config: TrainConfig,
    vocabulary_size: int,
    device: torch.device,
    engine: Engine,
    operations: float = _OPERATIONS,
) -> Callable[[], object]:
    """Return a function that runs updates of a scaled-down training, warmed up."""
    piece = _piece(config, vocabulary_size, device, operations)
    size = max(vocabulary_size, SPECIALS + 1)
    length = piece.batch_size * (piece.chunk_length + 1) * 4
    stream = np.random.default_rng(0).integers(SPECIALS, size, length, np.uint16)
    stream[0] = MARK_ID
    batches = Batches(stream, batch_size=piece.batch_size, chunk_length=piece.chunk_length)
    learner = Learner(piece, size, batches.batch_size, device, engine=engine, text=stream)
    # On a GPU the warm-up includes the recording of a CUDA graph.
    updates = _UPDATES_ON_GPU if device.type == "cuda" else 1

    def work() -> None:
        for _ in range(updates - 1):
            learner.update(batches.next(0), 0.0, 0)
        # Reading the loss waits for the device.
        learner.update(batches.next(0), 0.0, 0).tolist()

    work()
    return work


def _piece(
    config: TrainConfig, vocabulary_size: int, device: torch.device, operations: float
) -> TrainConfig:
    """Scale the training down on a CPU; a GPU is fast enough to run it at full size."""
    shape = replace(config.model, ngram_rows=min(config.model.ngram_rows, _ROWS))
    if device.type != "cpu":
        return replace(config, model=shape)
    layers, hidden = min(shape.num_layers, _LAYERS), shape.hidden_size
    weights = (8 * layers - 4) * hidden**2 + hidden * (vocabulary_size + 4 * shape.embedding_size)
    characters = int(operations / (6 * weights))
    fewest, most = _STREAMS
    streams = min(config.batch_size, most, max(fewest, characters // _STEPS))
    return replace(
        config,
        model=replace(shape, num_layers=layers),
        batch_size=streams,
        chunk_length=min(config.chunk_length, max(_STEPS, characters // streams)),
    )


def _key(config: TrainConfig, vocabulary_size: int, device: torch.device) -> str:
    """Digest of everything that the result of a race depends on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    facts = {
        "format": _FORMAT,
        "machine": [device.type, name, torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")],
        "versions": [torch.__version__, library_name()],
        "shape": asdict(config.model),
        "sizes": [vocabulary_size, config.batch_size, config.chunk_length],
        "precision": config.precision,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
