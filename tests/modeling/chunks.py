"""A model, a chunk of text, and its loss by torch, by the kernel, and by rounded products."""

import dataclasses

import torch
from torch.autograd import Function
from torch.nn import functional

from modeling.config import ModelConfig
from modeling.engines.batches import IGNORED
from modeling.models import build_model
from modeling.native.library import library
from modeling.native.loss import ChunkLoss

SIZE = 37
"""Of the vocabulary: no multiple of any vector."""

SHAPES = [
    ModelConfig(embedding_size=5, hidden_size=9, num_layers=1, output_norm=False),
    ModelConfig(embedding_size=5, hidden_size=16, num_layers=1),
    ModelConfig(embedding_size=40, hidden_size=20, num_layers=2, output_norm=False, skip=True),
    ModelConfig(embedding_size=8, hidden_size=72, num_layers=2, dropout=0.3),
    ModelConfig(embedding_size=8, hidden_size=33, num_layers=3, dropout=0.5, skip=True),
    ModelConfig(embedding_size=8, hidden_size=264, num_layers=2, skip=True),
    ModelConfig(embedding_size=7, hidden_size=20, ngram_order=4, ngram_rows=50, ngram_dropout=0.3),
    ModelConfig(embedding_size=9, hidden_size=12, ngram_order=3, ngram_rows=40, layout=True),
    ModelConfig(embedding_size=7, hidden_size=20, ngram_order=4, ngram_dropout=0.3, direct=True),
    ModelConfig(
        embedding_size=9,
        hidden_size=12,
        num_layers=2,
        dropout=0.2,
        ngram_order=3,
        ngram_rows=40,
        layout=True,
        direct=True,
    ),
    ModelConfig(embedding_size=8, hidden_size=20, num_layers=2, ngram_order=2, dropout=0.2),
]


def some_model(shape):
    torch.manual_seed(1)
    model = build_model(shape, SIZE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(0.01 * torch.randn_like(parameter))
        if model.ngrams is not None:
            model.ngrams.table.normal_()[-1] = 0
    return model


def some_chunk(shape, streams=13, length=21):
    generator = torch.Generator().manual_seed(2)
    ids, targets = torch.randint(SIZE, (2, streams, length), generator=generator)
    targets[0, 5:] = IGNORED
    targets[-1] = IGNORED
    state = torch.randn(2, shape.num_layers, streams, shape.hidden_size, generator=generator)
    characters = (max(shape.ngram_order - 1, 0), streams, 1)
    before = torch.randint(SIZE, characters, generator=generator)
    if shape.layout:
        # At the second blank of a line, below an indentation of 7.
        before = torch.cat((before, torch.tensor([[[2]], [[7]]]).expand(2, streams, 1)))
    return ids, targets, (*state, before)


def loss_by_torch(model, ids, targets, state):
    logits, state = model(ids, state)
    flat = logits.transpose(0, 1).flatten(0, 1), targets.t().flatten()
    return functional.cross_entropy(*flat, ignore_index=IGNORED, reduction="sum"), state


def loss_by_kernel(model, ids, targets, state):
    return loss_by(ChunkLoss(library(), model.config.dropout), model, ids, targets, state)


def loss_by(chunk_loss, model, ids, targets, state):
    weights, rows, before = model.native().weights_for(ids, state[2])
    loss, after = chunk_loss(weights, rows, targets, state[:2])
    return loss, (*after, before)


def outcome(price, shape, chunk):
    """Loss, state and gradients of a third of the loss, dropout drawn from one seed."""
    model = some_model(shape)
    torch.manual_seed(3)
    loss, state = price(model, *chunk)
    (loss / 3).backward()
    return [
        loss.detach(),
        *(part.detach() for part in state),
        *(weight.grad for weight in model.dense_parameters()),
        *([] if model.ngrams is None else [model.ngrams.gradient()[1]]),
    ]


def assert_close(ones, others):
    for one, other in zip(ones, others, strict=True):
        assert (one - other).float().norm() <= 1e-5 * other.float().norm()


def rounded(values):
    return values.bfloat16().float()


class RoundedProduct(Function):
    """x (B, I) by the transpose of w (O, I), factors rounded to bfloat16; gradients likewise."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return rounded(x) @ rounded(w).T

    @staticmethod
    def backward(ctx, gradient):
        x, w = ctx.saved_tensors
        return rounded(gradient) @ rounded(w), rounded(gradient).T @ rounded(x)


def loss_by_rounded_products(model, ids, targets, state):
    """The expected result of the kernel's mixed products, computed in torch step by step."""
    hidden, cell, before = state
    hidden, cell = list(hidden), list(cell)
    embedded = model.embed(ids, before)
    loss = torch.zeros(())
    for t in range(ids.shape[1]):
        values = embedded[:, t]
        for index, layer in enumerate(model.layers):
            w_ih, w_hh, b_ih, b_hh = layer.parameters()
            product = RoundedProduct.apply if index or model.ngrams else functional.linear
            gates = product(values, w_ih) + RoundedProduct.apply(hidden[index], w_hh) + b_ih + b_hh
            i, f, g, o = gates.chunk(4, dim=1)
            cell[index] = f.sigmoid() * cell[index] + i.sigmoid() * g.tanh()
            hidden[index] = o.sigmoid() * cell[index].tanh()
            values = values + hidden[index] if model.config.skip and index else hidden[index]
        logits = RoundedProduct.apply(model.norm(values), model.output.weight) + model.output.bias
        if model.direct is not None:
            logits = logits + RoundedProduct.apply(embedded[:, t], model.direct.weight)
        loss = loss + functional.cross_entropy(
            logits, targets[:, t], ignore_index=IGNORED, reduction="sum"
        )
    return loss, (torch.stack(hidden), torch.stack(cell), model.after(before, ids))


def mixed_loss_by_kernel(model, ids, targets, state):
    return loss_by(ChunkLoss(library(), 0.0, mixed=True), model, ids, targets, state)


def distances(ones, others):
    return [
        float((one - other).float().norm() / other.float().norm().clamp(min=1e-9))
        for one, other in zip(ones, others, strict=True)
    ]


def assert_rounds_as_torch_does(shape, *size):
    """Sums in another order occasionally round the other way, hence the tolerance."""
    shape, chunk = (
        dataclasses.replace(shape, dropout=0.0, ngram_dropout=0.0),
        some_chunk(shape, *size),
    )
    chunk[1][0, 0] = 3
    wanted = outcome(loss_by_rounded_products, shape, chunk)
    assert max(distances(outcome(mixed_loss_by_kernel, shape, chunk), wanted)) < 1e-3
    exact = distances(outcome(loss_by_kernel, shape, chunk), wanted)
    assert max(exact) > 2e-3, "nothing was rounded"
