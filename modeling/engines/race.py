"""The race that decides how a training computes, and what is remembered of it.

Every candidate trains a small piece of the very shape on random characters, a few hundredths of a
second each. They take turns on one thread, whose own CPU time counts, so a busy machine does not
change the outcome, which is kept for a month in the user's cache, by processor, kernel, torch and
shape. How many threads are best depends on the moment: each training times the winner on all, half
and a quarter of them.
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
    torch_computes_bfloat16,
)
from modeling.engines.learner import Learner
from modeling.native.compilation import NoLibraryError, cache_folder
from modeling.native.library import library, library_name
from modeling.vocab import MARK_ID, SPECIALS

_BUDGET = 0.3
"""Seconds of the whole race, about; each candidate is warmed up and runs once even so."""
_OPERATIONS = 6e8
"""Floating-point operations of one turn: a hundredth of a second."""
_OPERATIONS_OF_THREADS = 10 * _OPERATIONS
"""Of one turn on several threads: what they cost one another weighs too much in a shorter one."""
_STREAMS, _LAYERS, _ROWS, _STEPS = (16, 64), 2, 2**10, 16
"""Bounds of the piece that is trained (streams, layers, rows an order of n-grams, characters):
more of them take longer. On wide models or large vocabularies so few characters overstate what an
update costs once, which favours torch a little."""
_LEAST = 1e-4
"""Seconds: nothing shorter can be told apart."""
_THREAD_ROUNDS, _ROUNDS_ALONE = 3, 3
_UPDATES_ON_GPU = 8
_DAYS = 30
_FORMAT = 1

_log = logging.getLogger(__name__)


def engine_for(
    config: TrainConfig, vocabulary_size: int, device: torch.device, group: Group = ALONE
) -> Engine:
    """Choose how to compute; measured once, then read from the cache.

    Args:
        config: of the training; its precision may leave no choice.
        vocabulary_size: V.
        device: to train on.
        group: the processes that train together; the first one's choice is everybody's.

    Raises:
        ValueError: nothing here computes in the precision that `config` asks for.
    """
    candidates = _candidates(config, device)
    if group.size > 1:
        chosen = _chosen(config, vocabulary_size, device) if group.is_first else candidates[0]
        # By a number that means the same to all: the kernel may be missing in one process.
        said = int(group.agreed(2 * chosen.native + (chosen.precision == "bfloat16")))
        precision = "bfloat16" if said % 2 else "float32"
        return Engine(native=said >= 2, precision=precision, reason=chosen.reason)
    return _chosen(config, vocabulary_size, device)


def continued(values: Mapping[str, Any], config: TrainConfig, device: torch.device) -> Engine:
    """The engine that a checkpoint was trained by, or what comes closest to it here.

    Args:
        values: of that engine.
        config: of the training.
        device: to continue on, perhaps another one or on another machine.

    Raises:
        ValueError: nothing here computes in the precision that `config` asks for.
    """
    begun = Engine(**values)
    # Fewer where this machine has fewer, or other processes take part now; 0 stays 0.
    threads = min(begun.threads, torch.get_num_threads())
    candidates = _candidates(config, device)
    if any(_is_like(begun, candidate) for candidate in candidates):
        return replace(begun, threads=threads)
    nearest = min(candidates, key=lambda candidate: candidate.precision != begun.precision)
    _log.warning("%s began this training and is not here: %s continues it", begun, nearest)
    return replace(nearest, threads=threads, reason=f"{begun}, which began it, was not there")


def _is_like(one: Engine, other: Engine) -> bool:
    """Whether they are the same but for what candidates do not decide."""
    return (one.native, one.precision) == (other.native, other.precision)


def _candidates(config: TrainConfig, device: torch.device) -> list[Engine]:
    """All that could compute this training, the preferred first."""
    natives = [True, False] if device.type == "cpu" and library() else [False]
    precisions: list[Literal["float32", "bfloat16"]] = ["float32", "bfloat16"]
    candidates = [
        Engine(native=native, precision=precision)
        for precision in precisions
        for native in natives
        if config.precision in ("auto", precision)
        and (native or precision == "float32" or torch_computes_bfloat16(device))
    ]
    if not candidates:
        raise ValueError(
            f"precision bfloat16: torch does not compute it on {device} of this machine; "
            "allowed: auto, float32"
        )
    return candidates


def _chosen(config: TrainConfig, vocabulary_size: int, device: torch.device) -> Engine:
    """The choice for one process; all but its number of threads is remembered if possible."""
    key = _key(config, vocabulary_size, device)
    engine = _recalled(key)
    if engine is None or not any(_is_like(engine, c) for c in _candidates(config, device)):
        began = time.perf_counter()
        engine = _raced(config, vocabulary_size, device)
        _log.info("%s; %s (%.1f s)", engine, engine.reason, time.perf_counter() - began)
        _remember(key, engine)
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
    """Seconds on a GPU, which is quiet, and has no memory for two candidates at once."""
    work = _work(config, vocabulary_size, device, engine)
    return min(_timed(work, time.perf_counter) for _ in range(_ROUNDS_ALONE))


def _wide(work: Callable[[Engine], Callable[[], object]], chosen: Engine) -> bool:
    """Whether the kernel's wide tiles are faster here."""
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
    """How many threads to train on; as many as the environment says, where it says so."""
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
    # Where CPU time is counted in ticks of 10 ms, a short turn takes none.
    return max(clock() - began, _LEAST)


def _work(
    config: TrainConfig,
    vocabulary_size: int,
    device: torch.device,
    engine: Engine,
    operations: float = _OPERATIONS,
) -> Callable[[], object]:
    """Updates of a small piece of this training, warmed up."""
    piece = _piece(config, vocabulary_size, device, operations)
    size = max(vocabulary_size, SPECIALS + 1)
    length = piece.batch_size * (piece.chunk_length + 1) * 4
    stream = np.random.default_rng(0).integers(SPECIALS, size, length, np.uint16)
    stream[0] = MARK_ID
    batches = Batches(stream, batch_size=piece.batch_size, chunk_length=piece.chunk_length)
    learner = Learner(piece, size, batches.batch_size, device, engine=engine, text=stream)
    # The warm-up of a GPU covers the recording of its graph.
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
    """This training made small on a CPU; on a GPU it is fast enough whole."""
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
    """What the outcome of a race depends on."""
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


def _path(key: str) -> Path:
    return cache_folder() / f"engine-{key}.json"


def _recalled(key: str) -> Engine | None:
    """What an earlier race decided; None if nothing is known, or nothing that can be read."""
    try:
        path = _path(key)
        if time.time() - path.stat().st_mtime > _DAYS * 86_400:
            return None
        engine = Engine(**json.loads(path.read_text(encoding="utf-8")))
    except (NoLibraryError, OSError, ValueError, TypeError):
        return None
    return engine


def _remember(key: str, engine: Engine) -> None:
    """Keep the outcome, whole or not at all; a cache that cannot be written costs a race a run."""
    try:
        path = _path(key)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(json.dumps(asdict(engine)), encoding="utf-8")
        temporary.replace(path)
    except (NoLibraryError, OSError) as error:
        _log.debug("the choice of an engine was not kept: %s", error)
