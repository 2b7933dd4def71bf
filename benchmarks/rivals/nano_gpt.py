"""nanoGPT, by the code of its own repository, which is read when it is measured.

The recipes are the one that its README gives for a CPU, and a larger model. Data order, optimiser,
clipping and the shape of the learning rate are those of its train.py. Only the length is fitted:
its schedule counts iterations (100 of warm-up in 2,000 that its README gives a CPU, then a cosine
down to a tenth at the last one), ours the share of the CPU time that is spent, so that it always
ends with the budget, as if its user had known how many iterations fit in.

Shapes: B windows, T characters of context, N of the text, V ids.
"""

import contextlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import Predictor, Recipe, Update
from modeling.vocab import Ids

REPOSITORY, MODEL = "karpathy/nanoGPT", "model.py"
RATE, LEAST_RATE = 1e-3, 1e-4
WARM_UP = 100 / 2000
BATCH = 12
WINDOWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Layers, heads, width, and context in characters."""

    layers: int
    heads: int
    width: int
    context: int


CPU_RECIPE = Shape(layers=4, heads=4, width=128, context=64)
LARGER = Shape(layers=6, heads=6, width=192, context=128)


def model_code(source: bytes) -> ModuleType:
    """The module `model` of nanoGPT, from its source."""
    module = ModuleType("nano_gpt_model")
    exec(compile(source, "nanoGPT/model.py", "exec"), module.__dict__)  # noqa: S102 - the rival
    return module


def learning_rate(spent: float) -> float:
    """`get_lr` of train.py.

    Args:
        spent: share of the training, 0 to 1.
    """
    if spent < WARM_UP:
        return RATE * spent / WARM_UP
    along = min(1.0, (spent - WARM_UP) / (1 - WARM_UP))
    return LEAST_RATE + 0.5 * (1 + math.cos(math.pi * along)) * (RATE - LEAST_RATE)


def recipe(code: ModuleType, shape: Shape) -> Recipe:
    """Its training as a recipe of benchmarks.peers."""

    def make(stream: Ids, size: int) -> tuple[Predictor, Update]:
        text = torch.from_numpy(stream.astype(np.int64))
        with contextlib.redirect_stdout(io.StringIO()):
            gpt = code.GPT(
                code.GPTConfig(
                    block_size=shape.context,
                    vocab_size=size,
                    n_layer=shape.layers,
                    n_head=shape.heads,
                    n_embd=shape.width,
                    dropout=0.0,
                    bias=False,
                )
            )
            optimizer = gpt.configure_optimizers(0.1, RATE, (0.9, 0.99), "cpu")

        def update(spent: float) -> None:
            gpt.train()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(spent)
            starts = torch.randint(len(text) - shape.context, (BATCH, 1))
            part = text[starts + torch.arange(shape.context + 1)]
            _, loss = gpt(part[:, :-1], part[:, 1:].contiguous())
            loss.backward()
            nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return Windowed(gpt, shape.context), update

    return make


class Windowed(Predictor):
    """A GPT that scores every character with half its context at least."""

    def __init__(self, gpt: nn.Module, context: int) -> None:
        super().__init__()
        self.gpt, self.context = gpt, context

    @torch.inference_mode()
    def nats(self, documents: Sequence[Ids]) -> Iterator[np.ndarray]:
        """By windows that overlap."""
        self.eval()
        for document in documents:
            yield windowed(self._losses, document, self.context)

    def _losses(self, windows: Tensor) -> Tensor:
        targets = windows[:, 1:].contiguous()
        logits, _ = self.gpt(windows[:, :-1], targets)
        return functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def windowed(losses: Callable[[Tensor], Tensor], document: Ids, context: int) -> np.ndarray:
    """Losses of all characters but the first, from windows that overlap by half.

    A character has at least half the context before it, unless the document begins there; so the
    whole text is charged, at twice the cost of windows that do not overlap.

    Args:
        losses: of ids (B, T + 1), for each character but the first of a window, (B, T).
        document: ids, (N + 1,).
        context: T.

    Returns:
        (N,) float64.
    """
    count, half = len(document) - 1, context // 2
    if count < 1:
        return np.zeros(0)
    starts = range(0, max(1, count - context + half), half)
    ids = torch.zeros(starts[-1] + context + 1, dtype=torch.int64)
    # What follows the text in the last window is padding; no character sees it.
    ids[: count + 1] = torch.from_numpy(document.astype(np.int64))
    windows = ids.unfold(0, context + 1, half)
    scored = torch.cat([losses(part) for part in windows.split(WINDOWS_AT_ONCE)])
    whole = torch.cat([scored[0], scored[1:, context - half :].flatten()])
    return whole[:count].numpy().astype(np.float64)
