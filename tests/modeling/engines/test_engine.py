import dataclasses
import itertools
import json
import logging
import os
import time
from typing import ClassVar

import pytest
import torch

from modeling.checkpoint import load_checkpoint, save_checkpoint
from modeling.config import Budget, ModelConfig, TrainConfig
from modeling.engines import race
from modeling.engines.distributed import Group
from modeling.engines.engine import Engine, enough_threads, fastest, measured, reason_of
from modeling.engines.race import continued, engine_for
from modeling.errors import DeviceError
from modeling.native.library import library
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from tests.modeling.native.compiler import needs_compiler, skip_without_bfloat16

CPU = torch.device("cpu")
FLOAT32 = Engine(native=True, precision="float32")
BFLOAT16 = Engine(native=True, precision="bfloat16")
TORCH = Engine(native=False, precision="float32")
ALL = (FLOAT32, TORCH, BFLOAT16)


def timings(**seconds):
    """Injected timings of every engine, one per round; the last one repeats."""
    named = {FLOAT32: seconds["float32"], TORCH: seconds["torch"], BFLOAT16: seconds["bfloat16"]}
    left = {engine: [*taken] for engine, taken in named.items()}
    calls = []

    def seconds_of(engine):
        calls.append(engine)
        taken = left[engine]
        return taken.pop(0) if len(taken) > 1 else taken[0]

    return seconds_of, calls


@pytest.mark.parametrize(
    ("seconds", "winner"),
    [
        ({"float32": 1.0, "torch": 1.5, "bfloat16": 1.6}, FLOAT32),  # Sapphire Rapids, 2x128
        ({"float32": 1.0, "torch": 1.9, "bfloat16": 0.55}, BFLOAT16),  # Zen 5
        ({"float32": 1.0, "torch": 0.8, "bfloat16": 1.6}, TORCH),
        ({"float32": 1.0, "torch": 0.99, "bfloat16": 0.98}, FLOAT32),
        ({"float32": 1.0, "torch": 0.96, "bfloat16": 0.95}, TORCH),
    ],
)
def test_the_fastest_wins_and_the_preferred_one_wins_a_tie(seconds, winner):
    seconds_of, _ = timings(**{name: [taken] for name, taken in seconds.items()})
    assert fastest(measured(ALL, seconds_of, budget=100)) == winner


def test_a_disturbed_round_does_not_decide():
    seconds_of, _ = timings(float32=[1.9, 1.0], torch=[1.2, 1.2], bfloat16=[1.1, 9.0])
    assert measured(ALL, seconds_of, budget=100) == {FLOAT32: 1.0, TORCH: 1.2, BFLOAT16: 1.1}


def test_what_is_hopeless_runs_once_and_the_budget_ends_the_race():
    seconds_of, calls = timings(float32=[1.0], torch=[1.5], bfloat16=[2.1])
    measured(ALL, seconds_of, budget=5.0)
    assert calls.count(BFLOAT16) == 1
    assert calls.count(FLOAT32) == calls.count(TORCH) == 2


@pytest.mark.parametrize(
    ("seconds", "number"),
    [
        ({64: 1.0, 32: 0.9, 16: 1.1}, 64),
        ({64: 3.0, 32: 1.2, 16: 1.0}, 32),
        ({2: 1.0, 1: 1.9}, 2),
        ({2: 5.0, 1: 1.0}, 1),
    ],
)
def test_fewer_threads_are_taken_where_they_are_clearly_faster(seconds, number):
    assert enough_threads(seconds) == number


def test_the_reason_names_every_rival():
    reason = reason_of(FLOAT32, {FLOAT32: 1.0, BFLOAT16: 1.6})
    assert reason == "measured: native kernel, bfloat16 took 1.60 times as long"
    assert reason_of(FLOAT32, {FLOAT32: 1.0}) == "the only one here"


@pytest.fixture
def job(config, vocabulary, stream, documents):
    return TrainingJob(config=config, vocabulary=vocabulary, stream=stream, validation=documents)


@pytest.fixture
def cache(tmp_path):
    """An empty cache of measurements."""
    return tmp_path / "cache"


def test_an_outcome_is_kept_and_read_instead_of_another_race(cache, config, monkeypatch):
    first = engine_for(config, 50, CPU, cache=cache)
    (kept,) = cache.glob("engine-*.json")
    assert dataclasses.replace(Engine(**json.loads(kept.read_text())), threads=1) == first
    monkeypatch.setattr(race, "_raced", lambda *_: pytest.fail("measured again"))
    assert engine_for(config, 50, CPU, cache=cache) == first


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"native": 1}', '{"no": "such field"}'])
def test_a_damaged_outcome_is_measured_again(cache, config, damage):
    engine_for(config, 50, CPU, cache=cache)
    (kept,) = cache.glob("engine-*.json")
    kept.write_text(damage)
    assert engine_for(config, 50, CPU, cache=cache).precision in ("float32", "bfloat16")
    assert Engine(**json.loads(kept.read_text()))


def test_an_old_outcome_is_measured_again(cache, config, caplog):
    engine_for(config, 50, CPU, cache=cache)
    (kept,) = cache.glob("engine-*.json")
    os.utime(kept, (time.time() - 31 * 86_400,) * 2)
    with caplog.at_level(logging.INFO, logger="modeling.engines.race"):
        engine_for(config, 50, CPU, cache=cache)
    assert len(caplog.records) == 1


def test_every_shape_has_its_own_outcome(cache, config):
    for changed in (config, dataclasses.replace(config, batch_size=5)):
        engine_for(changed, 50, CPU, cache=cache)
    engine_for(config, 51, CPU, cache=cache)
    assert len(list(cache.glob("engine-*.json"))) == 3


def test_a_cache_that_cannot_be_written_costs_nothing_but_the_race(cache, config):
    cache.write_text("")
    assert engine_for(config, 50, CPU, cache=cache).precision in ("float32", "bfloat16")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("native", ["0", "1"])
def test_what_the_user_asks_for_is_what_runs(cache, config, precision, native, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", native)
    if precision == "bfloat16":
        skip_without_bfloat16()
    engine = engine_for(dataclasses.replace(config, precision=precision), 50, CPU, cache=cache)
    assert engine.precision == precision
    assert native == "1" or not engine.native


def test_a_precision_that_nothing_computes_is_refused_and_auto_does_without(
    cache, config, monkeypatch
):
    """As on CPUs without AVX-512, where oneDNN refuses bfloat16, and without a compiler."""
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    monkeypatch.setattr(race, "torch_trains_in_bfloat16", lambda *_: False)
    assert str(engine_for(config, 50, CPU, cache=cache)) == "torch, float32"
    with pytest.raises(
        DeviceError, match=r"bfloat16: torch does not train lstm in it.*: auto, float32"
    ):
        engine_for(dataclasses.replace(config, precision="bfloat16"), 50, CPU, cache=cache)


@pytest.mark.parametrize("setting", [None, "1"])
def test_the_number_of_threads_is_the_environments_where_it_names_one(
    cache, config, monkeypatch, setting
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if setting:
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = engine_for(config, 50, CPU, cache=cache)
        assert engine.threads in ((1, 2) if setting is None else (2,))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_race_leaves_the_generator_of_random_numbers_as_it_was(cache, config):
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    engine_for(config, 50, CPU, cache=cache)
    assert torch.rand(4).equal(wanted)


@pytest.mark.parametrize(
    "shape",
    [ModelConfig(), ModelConfig(hidden_size=1024, num_layers=6), ModelConfig(hidden_size=1)],
)
def test_the_piece_that_is_raced_is_small_and_of_the_same_width(shape):
    config = TrainConfig(model=shape, batch_size=256, chunk_length=128)
    piece = race._piece(config, 100, CPU, race._OPERATIONS)
    assert piece.model.hidden_size == shape.hidden_size
    assert piece.batch_size * piece.chunk_length * shape.hidden_size**2 <= 3e8
    assert piece.batch_size <= 256
    assert piece.chunk_length <= 128


@needs_compiler
@pytest.mark.parametrize("engine", ALL, ids=str)
def test_a_resumed_training_is_computed_as_it_began(tmp_path, job, engine, monkeypatch):
    """Whatever a race would choose now, the weights are those of an uninterrupted training."""
    if engine.native and library() is None:
        pytest.skip("the kernel is switched off")
    outcomes = itertools.chain([engine, engine], itertools.repeat(TORCH))
    monkeypatch.setattr("modeling.training.trainer.engine_for", lambda *_: next(outcomes))
    config = dataclasses.replace(job.config, budget=Budget(epochs=1))
    job = dataclasses.replace(job, config=config)

    def trainer(checkpoint=None):
        return Trainer(job, device=CPU, checkpoint=checkpoint)

    whole, broken = trainer(), trainer()
    list(whole.run())
    list(itertools.islice(broken.run(), 7))
    save_checkpoint(tmp_path / "kept", broken.checkpoint())
    resumed = trainer(load_checkpoint(tmp_path / "kept"))
    assert resumed.engine == engine
    list(resumed.run())
    for one, other in zip(
        whole.best_model().parameters(), resumed.best_model().parameters(), strict=True
    ):
        assert one.equal(other)


@needs_compiler
def test_without_the_kernel_torch_continues_and_says_so(job, monkeypatch, caplog):
    begun = Trainer(job, device=CPU)
    checkpoint = begun.checkpoint()
    checkpoint.values["engine"]["native"] = True
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    resumed = Trainer(job, device=CPU, checkpoint=checkpoint)
    assert not resumed.engine.native
    assert "is not available; using torch, " in caplog.text


def without_bfloat16(monkeypatch):
    """As on a CPU without AVX-512 and without a compiler."""
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    monkeypatch.setattr(race, "torch_trains_in_bfloat16", lambda *_: False)


def test_what_continues_a_training_is_something_that_computes_here(config, monkeypatch):
    begun = dataclasses.asdict(BFLOAT16)
    without_bfloat16(monkeypatch)
    assert str(continued(begun, config, CPU)) == "torch, float32"
    with pytest.raises(DeviceError, match="allowed: auto, float32"):
        continued(begun, dataclasses.replace(config, precision="bfloat16"), CPU)


def test_a_training_continued_elsewhere_takes_no_more_threads_than_there_are(config):
    most = torch.get_num_threads()
    begun = dataclasses.asdict(TORCH)
    threads = [continued(begun | {"threads": n}, config, CPU).threads for n in (0, 1, most + 60)]
    assert threads == [0, 1, most]


class Second(Group):
    """The second of two processes, which receives what the first one has sent."""

    sent: ClassVar[list] = []

    def agreed(self, value):
        return self.sent.pop(0)


@pytest.mark.parametrize("engine", [*ALL, Engine(native=False, precision="bfloat16")], ids=str)
@pytest.mark.parametrize("native", ["0", "1"])
def test_the_choice_of_the_first_process_is_that_of_one_without_a_kernel(
    config, monkeypatch, engine, native
):
    class First(Group):
        def agreed(self, value):
            Second.sent.append(value)
            return value

    monkeypatch.setattr(race, "_chosen", lambda *_: engine)
    assert engine_for(config, 50, CPU, First(rank=0, size=2)) == engine
    monkeypatch.setenv("CHARMILL_NATIVE", native)
    assert engine_for(config, 50, CPU, Second(rank=1, size=2)) == engine


def test_a_kept_outcome_that_nothing_here_computes_is_not_taken(cache, config, monkeypatch):
    """As on machines that share a home folder and have the same torch and processor name."""
    without_bfloat16(monkeypatch)
    engine_for(config, 50, CPU, cache=cache)
    (kept,) = cache.glob("engine-*.json")
    kept.write_text(json.dumps(dataclasses.asdict(Engine(native=False, precision="bfloat16"))))
    assert str(engine_for(config, 50, CPU, cache=cache)) == "torch, float32"


def test_a_clock_that_counts_in_long_ticks_breaks_no_race(cache, config, monkeypatch):
    monkeypatch.setattr("time.thread_time", lambda: 0.0)
    first, *_ = race._candidates(config, CPU)
    assert str(engine_for(config, 50, CPU, cache=cache)) == str(first)
