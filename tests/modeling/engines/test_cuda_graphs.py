"""The requirements of CUDA graphs on an update, tested on the CPU with a fake graph."""

import dataclasses

import pytest
import torch

from modeling.engines.batches import Batches
from modeling.engines.cuda_graphs import WARM_UP, Captured
from modeling.engines.learner import Learner
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from tests.modeling.native.compiler import skip_without_bfloat16

CPU = torch.device("cpu")


class Repeat:
    """A graph that replays by running the body, after checking that no memory has moved."""

    def __init__(self, addresses, failure=None):
        self.addresses, self.failure = addresses, failure
        self.launches = self.replays = 0
        self.body = self.at = None

    def launch(self, body):
        self.launches += 1
        return body()

    def record(self, body):
        if self.failure:
            raise self.failure
        self.body, self.at = body, self.addresses()

    def replay(self):
        assert self.addresses() == self.at
        self.replays += 1
        return self.body()

    def discard(self):
        self.body = None


def addresses_of(learner):
    held = [*learner._named().values(), *learner._state]
    held += [learner._inputs._text, learner._inputs._places, learner._inputs.characters]
    return [tensor.data_ptr() for tensor in held]


def captured(learner, failure=None):
    graph = Repeat(lambda: addresses_of(learner), failure)
    learner._captured = Captured(graph)
    return graph


@pytest.fixture(params=["kernel", "torch"])
def engine(request, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", str(int(request.param == "kernel")))


@pytest.fixture
def make(config, vocabulary, stream):
    def make(keep_text=None, **changes):
        changed = dataclasses.replace(config, **changes)
        return Learner(changed, vocabulary.size, 4, CPU, text=stream, keep_text=keep_text)

    return make


def chunks(stream, count=12):
    batches = Batches(stream, batch_size=4, chunk_length=16, jump_probability=0.3)
    return [batches.next(step, jump=True) for step in range(count)]


def updated(learner, batches):
    figures = [learner.update(b, 0.01 / (1 + i), i) for i, b in enumerate(batches)]
    return torch.stack(figures), learner.tensors()


def assert_same(one, two):
    assert torch.equal(one[0], two[0])
    assert one[1].keys() == two[1].keys()
    for name, tensor in one[1].items():
        assert torch.equal(tensor, two[1][name]), name


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_recorded_update_is_the_plain_one(make, stream, precision):
    if precision == "bfloat16":
        skip_without_bfloat16()
    plain, recorded = make(precision=precision), make(precision=precision)
    graph = captured(recorded)
    assert_same(updated(plain, chunks(stream)), updated(recorded, chunks(stream)))
    assert (graph.launches, graph.replays) == (WARM_UP, 12 - WARM_UP)


def test_a_text_that_the_device_keeps_gives_the_same_updates(make, stream):
    sent, kept = make(), make(keep_text=True)
    assert kept._inputs._resident is stream
    captured(kept)
    assert_same(updated(sent, chunks(stream)), updated(kept, chunks(stream)))


def test_figures_of_an_update_outlive_the_next_ones(make, stream):
    learner, buffer = make(), torch.zeros(2)

    class Overwriting(Repeat):
        def replay(self):
            return buffer.copy_(super().replay())

    learner._captured = Captured(Overwriting(lambda: None))
    first, *others = [learner.update(batch, 0.01, 0) for batch in chunks(stream)][WARM_UP:]
    assert not any(torch.equal(first, other) for other in others)


def test_going_back_moves_nothing_that_was_recorded(make, stream):
    learner = make()
    graph = captured(learner)
    head, tail = chunks(stream)[:7], chunks(stream)[7:]
    updated(learner, head)
    state = learner.tensors()
    first = updated(learner, tail)
    learner.load(state)
    assert_same(first, updated(learner, tail))
    assert graph.replays == 7 - WARM_UP + 2 * 5


@pytest.mark.parametrize(
    "failure",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore"),
    ],
    ids=["memory", "capture"],
)
def test_where_nothing_can_be_recorded_updates_are_launched_plainly(make, stream, failure, caplog):
    plain, refused = make(), make()
    graph = captured(refused, failure)
    assert_same(updated(plain, chunks(stream)), updated(refused, chunks(stream)))
    assert (graph.launches, graph.replays) == (12, 0)
    assert caplog.text.count("kernel by kernel: CUDA") == 1
    assert "more" not in caplog.text


def test_another_failure_while_recording_is_not_hidden(make, stream):
    learner = make()
    captured(learner, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        updated(learner, chunks(stream))


def test_a_training_with_recorded_updates_resumes_with_the_same_bits(
    config, vocabulary, stream, documents
):
    """With validations and checkpoints between the updates."""

    def trainer(checkpoint=None):
        made = Trainer(
            TrainingJob(
                config=config, vocabulary=vocabulary, stream=stream, validation=documents[:4]
            ),
            device=CPU,
            checkpoint=checkpoint,
        )
        captured(made._learner)
        return made

    straight = trainer()
    list(straight.run())
    first = trainer()
    run = first.run()
    for _ in range(9):
        next(run)
    resumed = trainer(first.checkpoint())
    list(resumed.run())
    one, two = straight.checkpoint().tensors, resumed.checkpoint().tensors
    assert all(torch.equal(one[name], two[name]) for name in one)
