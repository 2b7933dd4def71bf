"""A recorded and replayed step generates the same as a step that is called each time."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from modeling.config import ModelConfig
from modeling.inference.noise import CounterNoise
from modeling.inference.writing import LONG_RUN, Writer, captured
from modeling.models import build_model
from modeling.models.lstm import LSTMStepper
from modeling.vocab import MARK_ID
from tests.modeling.gpu import DEVICES

CPU = torch.device("cpu")
SIZE = 12
SHAPES = [
    ModelConfig(hidden_size=8, num_layers=2, skip=True),
    ModelConfig(hidden_size=8, ngram_order=4, ngram_rows=30),
]
SETTINGS = {
    "free": {},
    "runs of 2 at most": {"max_run": 2},
    "runs not sharpened": {"temperature": 0.3},
    "narrow": {"narrow": lambda logits: logits.masked_fill(logits < logits.mean(), -1e9)},
}


class Recording(TorchDispatchMode):
    """A CUDA graph's rules on a CPU: calls are recorded with their tensors, and repeated in place.

    What a call returns is copied to where it was when recorded, so a step that binds a name to a
    new tensor, or reads a number from one, is detected.
    """

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert "local_scalar_dense" not in str(func), "the host waits for a number"
        assert "nonzero" not in str(func), "a shape depends on numbers"
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    @torch.inference_mode()
    def replay(self):
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            if isinstance(result, torch.Tensor) and again.data_ptr() != result.data_ptr():
                result.copy_(again)


def recorded(turn, _device):
    """Like `captured` on CUDA: some steps, then the recording, whose calls are executed too."""
    turn()
    recording = Recording()
    with recording:
        turn()
    assert recording.calls
    return recording.replay


def some_model(shape):
    torch.manual_seed(2)
    model = build_model(shape, SIZE).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.output.bias[MARK_ID] += 1.5
        if model.ngrams is not None:
            model.ngrams.table.normal_()
    return model


def blocks(model, capture, device=CPU, **settings):
    room = torch.empty(10, 3, SIZE, device=device)
    prompt = np.array([MARK_ID, 4, 4], np.uint16)
    writer = Writer(LSTMStepper(model, 3), prompt, room, capture=capture, **settings)
    noise = CounterNoise([1, 2, 3], SIZE, 1.0, device)
    return torch.cat([writer.write(noise.draw(steps)).clone() for steps in (10, 10, 4)], dim=1)


def lowered(logits, id_, temperature):
    """The logit with which an id has its probability at temperature 1 at a lower one, by search."""
    wanted, low, high = logits.softmax(0)[id_], -50.0, float(logits[id_])
    for _ in range(60):
        middle = (low + high) / 2
        tried = logits.double().clone()
        tried[id_] = middle
        if (tried / temperature).softmax(0)[id_] > wanted:
            high = middle
        else:
            low = middle
    return high


def by_hand(model, max_run=None, narrow=lambda logits: logits, temperature=1.0):
    """The same without buffers: every character from a forward pass over all earlier ones."""
    noise = CounterNoise([1, 2, 3], SIZE, 1.0, CPU).draw(24)
    written = torch.empty((3, 0), dtype=torch.int64)
    prompt = torch.tensor([MARK_ID, 4, 4]).expand(3, 3)
    for step in range(24):
        ids = torch.cat((prompt, written), dim=1)
        last = []
        for row in range(3):
            mark = max(i for i, id_ in enumerate(ids[row].tolist()) if id_ == MARK_ID)
            last.append(model(ids[row : row + 1, mark:])[0][0, -1].detach())
        logits = torch.stack(last)
        for row in range(3):
            # Only the last character of the prompt counts.
            history = ids[row, 2:].tolist()
            runs = [list(group) for _, group in itertools.groupby(history)]
            if temperature < 1 and len(runs[-1]) >= LONG_RUN:
                logits[row, history[-1]] = lowered(logits[row], history[-1], temperature)
            if max_run and len(runs[-1]) >= max_run:
                logits[row, history[-1]] = -torch.inf
        drawn = (narrow(logits) + noise[:, step]).argmax(dim=1)
        written = torch.cat((written, drawn[:, None]), dim=1)
    return written


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_recorded_turn_writes_what_forward_passes_over_the_whole_text_give(shape, settings):
    model = some_model(shape)
    plain = blocks(model, captured, **settings)
    assert plain.equal(by_hand(model, **settings))
    assert blocks(model, recorded, **settings).equal(plain)
    assert MARK_ID in plain


def test_a_turn_that_keeps_a_new_tensor_would_be_seen():
    model = some_model(SHAPES[1])

    class Binding(LSTMStepper):
        def step(self, ids):
            self._before = self._before.clone()
            return super().step(ids)

    def drawn(kind, capture):
        writer = Writer(
            kind(model, 1), np.array([MARK_ID], np.uint16), torch.empty(9, 1, SIZE), capture=capture
        )
        return writer.write(CounterNoise([1], SIZE, 0.5, CPU).draw(9))

    assert drawn(Binding, captured).equal(drawn(LSTMStepper, captured))
    assert not drawn(Binding, recorded).equal(drawn(LSTMStepper, recorded))


@pytest.mark.parametrize("device", DEVICES[1:])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_graph_writes_what_its_turns_write_one_by_one(shape, settings, device):
    device = torch.device(device)
    model = some_model(shape).to(device)
    plain = blocks(model, lambda turn, _device: turn, device, **settings)
    assert blocks(model, captured, device, **settings).equal(plain)
