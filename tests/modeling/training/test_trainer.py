import dataclasses
import itertools
import math

import pytest
import torch

from modeling.config import Budget, TrainConfig, train_config_with
from modeling.engines import learner
from modeling.engines.learner import Learner
from modeling.errors import CapacityError, CheckpointError, DivergenceError
from modeling.training.job import TrainingJob
from modeling.training.progress import Totals
from modeling.training.schedule import BudgetMeter, learning_rate_at
from modeling.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture
def train(vocabulary, stream, documents):
    def make(config, **others):
        data = {"stream": stream, "validation": documents[:4], "vocabulary": vocabulary}
        data |= {name: others.pop(name) for name in data if name in others}
        return Trainer(TrainingJob(config=config, **data), device=CPU, **others)

    return make


def weights(trainer):
    return trainer.checkpoint().tensors


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_training_learns_and_keeps_the_best_weights(train, config):
    records = list(train(train_config_with(config, {"budget": "30epochs"})).run())
    assert records[-1].train_bits < 0.6 * records[5].train_bits
    bits = [r.validation_bits for r in records if r.validation_bits is not None]
    assert len(bits) == 5
    assert bits[-1] < bits[0]


def test_the_best_model_scores_the_fewest_validation_bits_seen(
    train, config, vocabulary, documents
):
    trainer = train(train_config_with(config, {"budget": "20epochs", "learning_rate": 0.05}))
    bits = [r.validation_bits for r in trainer.run() if r.validation_bits is not None]
    best = trainer.best_model()
    assert not best.training
    again = trainer._validation.bits_per_character(best, vocabulary)
    assert again == pytest.approx(min(bits), abs=1e-9)


def test_a_budget_of_characters_is_spent_exactly(train, config, stream):
    records = list(train(dataclasses.replace(config, budget=Budget(epochs=2))).run())
    assert records[-1].fraction == 1
    assert 0 <= records[-1].characters - 2 * len(stream) < config.batch_size * config.chunk_length
    assert [r.step for r in records] == list(range(1, len(records) + 1))


def test_a_budget_of_seconds_counts_validation_and_the_consumer(train, config):
    seconds = itertools.count(0, 0.25)
    config = dataclasses.replace(config, budget=Budget(seconds=60))
    records = list(train(config, clock=lambda: next(seconds)).run())
    assert records[-1].validation_bits is not None
    assert 58 <= records[-1].seconds <= 61
    assert next(seconds) <= 64


class Clock:
    """Every look takes a quarter of a second."""

    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        self.now += 0.25
        return self.now


def test_a_budget_of_seconds_counts_from_the_start_of_the_stage(train, config):
    config = dataclasses.replace(config, budget=Budget(seconds=60))
    clock = Clock(now=100 + 20)  # reading the text and choosing an engine took 20 seconds
    records = list(train(config, clock=clock, started=100.0).run())
    assert records[0].seconds > 20
    assert records[0].fraction < 0.05  # the schedule begins with the first update
    assert records[-1].validation_bits is not None
    assert 58 <= records[-1].seconds <= 61
    assert clock.now <= 164


def test_half_of_a_budget_is_for_training_however_long_the_preparation_takes(train, config):
    config = dataclasses.replace(config, budget=Budget(seconds=60))
    records = list(train(config, clock=Clock(now=500), started=0.0).run())
    assert 500 + 29 <= records[-1].seconds <= 500 + 31


def test_a_resumed_training_has_what_its_earlier_sessions_left_of_the_budget(train, config):
    config = dataclasses.replace(config, budget=Budget(seconds=60))
    first = train(config, clock=Clock(now=10), started=0.0)
    head = list(itertools.islice(first.run(), 30))
    checkpoint = first.checkpoint()
    used = first.totals.seconds
    assert 10 < used < 40
    clock = Clock(now=1000 + 8)
    resumed = train(config, checkpoint=checkpoint, clock=clock, started=1000.0)
    assert resumed.fraction >= head[-1].fraction
    tail = list(resumed.run())
    assert tail[0].seconds > used + 8
    assert 58 <= tail[-1].seconds <= 61
    assert clock.now - 1000 <= 64 - used


def test_the_learning_rate_warms_up_and_falls_to_zero():
    config = TrainConfig(learning_rate=2.0, warmup=0.1)
    rates = [learning_rate_at(config, f / 1000) for f in range(1001)]
    assert rates[0] == 0
    assert rates[50] == pytest.approx(1.0)
    assert max(rates) == rates[100] == pytest.approx(2.0)
    assert rates[550] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_the_schedule_follows_the_characters_after_a_resume(train, config):
    def rates(records):
        return [record.learning_rate for record in records]

    whole = rates(train(config).run())
    first = train(config)
    head = rates(itertools.islice(first.run(), 9))
    tail = rates(train(config, checkpoint=first.checkpoint()).run())
    assert head + tail == whole


@pytest.mark.parametrize("budget", ["3epochs", "700chars"])
@pytest.mark.parametrize("stops", [(1,), (4, 5, 7), (3, 1, 1, 8)])
def test_an_interrupted_run_ends_with_the_same_bits_as_a_straight_one(train, config, budget, stops):
    config = train_config_with(config, {"budget": budget})
    straight = train(config)
    records = list(straight.run())
    checkpoint = None
    for stop in stops:
        part = train(config, checkpoint=checkpoint)
        run = part.run()
        for _ in range(stop):
            next(run, None)
        checkpoint = part.checkpoint()
        next(run, None)  # lost work
    resumed = train(config, checkpoint=checkpoint)
    rest = list(resumed.run())
    assert_equal(weights(straight), weights(resumed))
    assert_equal(straight.best_model().state_dict(), resumed.best_model().state_dict())
    for one, two in zip(records[::-1], rest[::-1], strict=False):
        assert (one.step, one.train_bits, one.validation_bits) == (
            two.step,
            two.train_bits,
            two.validation_bits,
        )


def test_training_neither_reads_nor_changes_the_global_generator(train, config):
    torch.manual_seed(1)
    first = train(config)
    list(first.run())
    after = torch.rand(1)
    torch.manual_seed(1)
    assert after == torch.rand(1)
    torch.manual_seed(2)
    second = train(config)
    list(second.run())
    assert_equal(weights(first), weights(second))


def test_another_seed_gives_another_model(train, config):
    first, second = train(config), train(dataclasses.replace(config, seed=1))
    assert not torch.equal(
        weights(first)["model.output.weight"], weights(second)["model.output.weight"]
    )


@pytest.mark.parametrize("change", [{"seed": 5}, {"budget": "4epochs"}])
def test_a_checkpoint_of_another_configuration_is_refused(train, config, change):
    checkpoint = train(config).checkpoint()
    with pytest.raises(CheckpointError, match="another training: other config"):
        train(train_config_with(config, change), checkpoint=checkpoint)


def test_a_checkpoint_of_another_text_is_refused(train, config, stream):
    checkpoint = train(config).checkpoint()
    with pytest.raises(CheckpointError, match="another training: other stream"):
        train(config, checkpoint=checkpoint, stream=stream[:-1])


def test_training_without_validation_documents_gives_the_last_weights(train, config):
    trainer = train(config, validation=[])
    assert all(record.validation_bits is None for record in trainer.run())
    last = {k.removeprefix("model."): v for k, v in weights(trainer).items() if "model." in k}
    assert_equal(trainer.best_model().state_dict(), last)


def broken_after(monkeypatch, updates):
    """Make the n-th updates of a run return a loss of NaN."""
    update, count = Learner.update, itertools.count(1)

    def broken(self, *arguments):
        result = update(self, *arguments)
        if next(count) in updates:
            with torch.no_grad():
                self.model.output.weight.fill_(math.nan)
            result = result * math.nan
        return result

    monkeypatch.setattr(Learner, "update", broken)


def test_a_diverged_run_goes_back_and_halves_its_learning_rate(train, config, monkeypatch, caplog):
    broken_after(monkeypatch, {13})
    records = list(train(config).run())
    assert "training diverged after 13 updates; back to update" in caplog.text
    steps = [record.step for record in records]
    back = next(i for i in range(1, len(steps)) if steps[i] <= steps[i - 1])
    repeated = steps.index(steps[back])
    assert records[back].learning_rate == records[repeated].learning_rate / 2
    assert records[-1].fraction == 1
    assert all(math.isfinite(record.train_bits) for record in records)


def test_a_run_that_diverges_twice_is_given_up(train, config, monkeypatch):
    broken_after(monkeypatch, {5, 9})
    with pytest.raises(
        DivergenceError, match=r"diverged again .*set learning_rate well below 0.008"
    ):
        list(train(config).run())


def test_a_batch_too_large_is_answered_with_one_that_fits(train, config, monkeypatch):
    def full(self):
        raise torch.OutOfMemoryError("tried to allocate 9 GB")

    monkeypatch.setattr(Learner, "_loss", full)
    monkeypatch.setattr(learner, "free_bytes", lambda device: 600_000)
    with pytest.raises(CapacityError, match=r"batch_size 4 .* does not fit .*; batch_size 2 would"):
        next(train(config).run())


def test_jumps_are_used_only_while_the_budget_is_short():
    for epochs, expected in ((1.9, True), (2, False), (9, False)):
        assert BudgetMeter(Budget(epochs=epochs), 1000).is_short(Totals()) is expected


def test_a_budget_of_seconds_is_short_while_it_reads_less_than_two_epochs_in_all():
    meter = BudgetMeter(Budget(seconds=100), 1000)
    assert meter.is_short(Totals(seconds=10, characters=199))
    assert not meter.is_short(Totals(seconds=10, characters=201))


def test_patience_ends_a_training_that_no_longer_gains(train, config):
    """Whatever the model learns, its validations are read from a list here."""

    class Scripted:
        bits = iter([5.0, 4.0, 4.5, 3.0, 3.0, 3.5, 2.0])

        def bits_per_character(self, model, vocabulary):
            return next(self.bits)

    changes = {"budget": "3epochs", "validation_every": 0.1, "patience": 2}
    patient = train(train_config_with(config, changes))
    patient._validation = Scripted()
    records = [r for r in patient.run() if r.validation_bits is not None]
    assert [r.validation_bits for r in records] == [5.0, 4.0, 4.5, 3.0, 3.0, 3.5]
    assert patient.has_ended
    assert records[-1].fraction < 1
    assert patient.totals.best_bits == 3.0


def test_without_patience_the_whole_budget_is_spent(train, config):
    trainer = train(train_config_with(config, {"learning_rate": 1.0}))
    assert [r.fraction for r in trainer.run()][-1] == 1
