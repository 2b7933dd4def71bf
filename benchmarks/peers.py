"""Recipes of other character-level networks, restated in torch for comparison at equal time.

Each takes the ids of the training text and trains by updates. All of these score text alike, with
carried state. Where a recipe leaves no state to carry (windows), it is carried all the same: that
can only help it.

Shapes: B streams or windows, T characters, N of the text, V ids, H hidden.
"""

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from modeling.vocab import Ids

Update = Callable[[float], None]
"""Trains on one batch; is given the share of the training time that is spent, 0 to 1."""
CHECKS = 10


class Predictor(nn.Module, ABC):
    """What a recipe trains."""

    @abstractmethod
    def nats(self, documents: Sequence[Ids]) -> Iterator[np.ndarray]:
        """Nats of every character after the mark of each document, (length - 1,) float64."""


Recipe = Callable[[Ids, int], tuple[Predictor, Update]]
"""Takes the training text and the size of the vocabulary."""
Score = Callable[[], float]


def train(
    network: nn.Module,
    update: Update,
    score: Score,
    seconds: float,
    clock: Callable[[], float] = time.process_time,
) -> tuple[int, float]:
    """Train for a number of seconds by a clock, and keep the weights with the best score.

    Args:
        score: bits of validation text under the present weights; it is called after each tenth of
            the time and takes none of it.

    Returns:
        Number of updates, and the seconds they took: at most one update more than was given.
    """
    best, kept, updates, spent = math.inf, network.state_dict(), 0, 0.0
    for check in range(1, CHECKS + 1):
        while spent < seconds * check / CHECKS:
            began = clock()
            update(spent / seconds)
            spent += clock() - began
            updates += 1
        bits = score()
        if bits < best:
            best, kept = bits, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return updates, spent


class Network(Predictor):
    """Embedding or one-hot input, a recurrent stack, a linear output."""

    def __init__(self, recurrent: nn.RNNBase, size: int, *, one_hot: bool) -> None:
        super().__init__()
        self.recurrent = recurrent
        width = recurrent.input_size
        self.embedding = nn.Embedding(size, width)
        if one_hot:
            assert width == size
            self.embedding.weight = nn.Parameter(torch.eye(size), requires_grad=False)
        self.output = nn.Linear(recurrent.hidden_size, size)

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        """Logits (B, T, V) of the next characters after ids (B, T), and the state."""
        values, state = self.recurrent(self.embedding(ids), state)
        return self.output(values), state

    @torch.inference_mode()
    def nats(self, documents: Sequence[Ids]) -> Iterator[np.ndarray]:
        """With the state carried from the start of each document."""
        self.eval()
        for document in documents:
            ids = torch.from_numpy(document.astype(np.int64))
            state, parts = None, [np.zeros(0)]
            for start in range(0, len(ids) - 1, 1000):
                part = ids[start : start + 1001]
                logits, state = self(part[None, :-1], state)
                lost = functional.cross_entropy(logits[0], part[1:], reduction="none")
                parts.append(lost.numpy().astype(np.float64))
            yield np.concatenate(parts)


def char_rnn(stream: Ids, size: int) -> tuple[Network, Update]:
    """karpathy/char-rnn's defaults: 2x128 LSTM, one-hot, B 50, T 50, RMSprop 2e-3, clip 5.

    The state is carried; the rate falls by 3 % an epoch from the tenth on.
    """
    batch, length = 50, 50
    network = Network(nn.LSTM(size, 128, 2, batch_first=True), size, one_hot=True)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    with torch.no_grad():
        for weight in weights:
            weight.uniform_(-0.08, 0.08)
    optimizer = torch.optim.RMSprop(weights, lr=2e-3, alpha=0.95)
    rows = torch.from_numpy(stream.astype(np.int64))[: len(stream) // batch * batch]
    rows = rows.view(batch, -1)
    chunks = (rows.shape[1] - 1) // length
    place, state = 0, None

    def update(_: float) -> None:
        nonlocal place, state
        network.train()
        if place % chunks == 0 and place:
            state = None
            if place // chunks >= 10:
                optimizer.param_groups[0]["lr"] *= 0.97
        start = place % chunks * length
        part = rows[:, start : start + length + 1]
        logits, state = network(part[:, :-1], state)
        state = tuple(value.detach() for value in state)  # pyright: ignore[reportGeneralTypeIssues]
        _step(optimizer, functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten()), 5)
        place += 1

    return network, update


def spro(stream: Ids, size: int) -> tuple[Network, Update]:
    """spro/char-rnn.pytorch's defaults: 2x100 GRU, random chunks of 200, B 100, Adam 0.01.

    One call of the network for every character, as its loop has it.
    """
    batch, length = 100, 200
    network = Network(nn.GRU(100, 100, 2, batch_first=True), size, one_hot=False)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    text = torch.from_numpy(stream.astype(np.int64))

    def update(_: float) -> None:
        network.train()
        starts = torch.randint(0, len(text) - length, (batch, 1))
        part = text[starts + torch.arange(length + 1)]
        state, loss = None, torch.zeros(())
        for place in range(length):
            logits, state = network(part[:, place : place + 1], state)
            loss = loss + functional.cross_entropy(logits[:, 0], part[:, place + 1])
        _step(optimizer, loss, None)

    return network, update


def windows(stream: Ids, size: int) -> tuple[Network, Update]:
    """The Keras recipe of the old posts: 2x128 LSTM, one-hot windows of 80, the last target only.

    B 128, Adam at 1e-3, dropout 0.2; windows shuffled. In torch, which is faster than Keras here.
    """
    batch, length = 128, 80
    network = Network(nn.LSTM(size, 128, 2, batch_first=True, dropout=0.2), size, one_hot=True)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    text = torch.from_numpy(stream.astype(np.int64))

    def update(_: float) -> None:
        network.train()
        starts = torch.randint(0, len(text) - length, (batch, 1))
        part = text[starts + torch.arange(length + 1)]
        logits, _ = network(part[:, :-1])
        _step(optimizer, functional.cross_entropy(logits[:, -1], part[:, -1]), None)

    return network, update


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, clip: float | None) -> None:
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        nn.utils.clip_grad_value_(
            [w for group in optimizer.param_groups for w in group["params"]], clip
        )
    optimizer.step()


PEERS: dict[str, Recipe] = {
    "char-rnn": char_rnn,
    "char-rnn.pytorch": spro,
    "keras-windows": windows,
}
