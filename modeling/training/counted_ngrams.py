"""The table of n-grams, started from counts of the training text instead of zeros.

A short training reads each n-gram few times and most of a large corpus never. Counting is a hundred
times as fast as training, so the whole text is counted first, and each row starts as a sketch of
what follows its n-grams.

The probabilities of the next character after the n-grams of a row are interpolated with those of
the next lower order by absolute discounting (Ney et al. 1994) with a discount of 1: a count then
contains only the other occurrences, so that the text, when it is trained on, does not look more
predictable than unseen text. A row holds the logarithm of the ratio to the lower order, projected
onto the main axes of such logarithms: the sum of the rows, from order 2 up, is what the highest
order knows.

Shapes: R rows an order, P orders (2 to N), V ids, C classes of ids, E embedding.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from modeling.models.ngrams import NgramEmbedding
from modeling.vocab import MARK_ID, Ids

CLASSES = 256
"""Most characters that are counted separately; the rarest of more are counted as one."""
MOST = 2**26
"""Characters counted at most: 67 million, half a minute."""
_BLOCK = 2**19
_SCALE = 0.5
"""Root of the mean square of a row's elements, over the text; those of characters start at 1."""


@torch.no_grad()
def start_from_counts(ngrams: NgramEmbedding, stream: Ids, vocabulary_size: int) -> None:
    """Set the table.

    Args:
        ngrams: the rows of all orders are overwritten; those of the layout are not.
        stream: all training documents, each preceded by its mark, (N,) uint16.
        vocabulary_size: V.
    """
    classes, sizes = _classes(stream, vocabulary_size)
    counts, parents = _counted(ngrams, stream[:MOST], classes, len(sizes))
    general = sizes / sizes.sum()
    moments = _to_ratios(counts, parents, general)
    axes = _axes(moments, ngrams.table.shape[1])
    for order, ratios in enumerate(counts):
        rows = slice(order * ngrams.rows, (order + 1) * ngrams.rows)
        ngrams.table[rows] = (ratios @ axes).to(ngrams.table.device)


def _classes(stream: Ids, vocabulary_size: int) -> tuple[Tensor, Tensor]:
    """The class of each id, (V,) int64, and how often each class occurs, (C,), at least .5."""
    occurrences = np.bincount(stream, minlength=vocabulary_size)
    ranks = np.empty(vocabulary_size, np.int64)
    ranks[np.argsort(-occurrences, kind="stable")] = np.arange(vocabulary_size)
    classes = np.minimum(ranks, CLASSES - 1)
    sizes = np.bincount(classes, weights=occurrences) + 0.5
    return torch.from_numpy(classes), torch.from_numpy(sizes).float()


def _counted(
    ngrams: NgramEmbedding, stream: Ids, classes: Tensor, width: int
) -> tuple[Tensor, Tensor]:
    """Count what follows.

    Returns:
        How often each class follows each row, (P, R, C), and the row of the next lower order that
        some n-gram of each row has, (P, R); 0 for the lowest order.
    """
    counts = torch.zeros(ngrams.order - 1, ngrams.rows, width)
    parents = torch.zeros(ngrams.order - 1, ngrams.rows, dtype=torch.int64)
    for rows, targets in _read(ngrams, stream):
        lower = torch.zeros_like(targets)
        ones = torch.ones(len(targets))
        for order, row in enumerate(rows):
            counts[order].view(-1).index_add_(0, row * width + classes[targets], ones)
            parents[order, row] = lower
            lower = row
    return counts, parents


def _read(ngrams: NgramEmbedding, stream: Ids) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of text: rows of each order (P, T), and next characters (T,).

    n-grams reach across the start of a document.
    """
    device, orders = ngrams.table.device, torch.arange(ngrams.order - 1)
    before = torch.zeros(ngrams.memory, 1, dtype=torch.int64, device=device)
    for start in range(0, len(stream), _BLOCK):
        block = torch.from_numpy(stream[start : start + _BLOCK + 1].astype(np.int64))
        targets = torch.cat((block[1:], torch.full((1,), MARK_ID)))[:_BLOCK]
        ids = block[:_BLOCK].to(device).unsqueeze(0)
        places = ngrams.places(ids, before)[0, :, : len(orders)].cpu()
        yield (places - orders * ngrams.rows).t().contiguous(), targets
        before = ngrams.after(before, ids)


def _to_ratios(counts: Tensor, parents: Tensor, general: Tensor) -> Tensor:
    """Replace counts by logarithms of ratios; return their second moments over the text, (C, C)."""
    moments = torch.zeros(len(general), len(general), dtype=torch.float64)
    lower = general.unsqueeze(0)
    for ratios, parent in zip(counts, parents, strict=True):
        total = ratios.sum(dim=1, keepdim=True)
        kinds = ratios.clamp(max=1).sum(dim=1, keepdim=True)
        below = lower[parent]
        chances = (ratios.sub_(1).clamp_(min=0) + kinds * below) / total.clamp(min=1)
        chances = torch.where(total > 0, chances, below)
        ratios.copy_((chances / below).log_())
        logs = (chances / general).log()
        moments += ((logs * total).t() @ logs).double() / float(total.sum())
        lower = chances
    return moments


def _axes(moments: Tensor, width: int) -> Tensor:
    """The main axes of vectors with given second moments, as columns, (C, E).

    Axes with larger values are scaled down, by the fourth root of their moment.
    """
    values, vectors = torch.linalg.eigh(moments)
    values, vectors = values.flip(0)[:width].clamp(min=1e-9), vectors.flip(1)[:, :width]
    axes = vectors * (_SCALE * values**-0.25 / values.sqrt().mean().sqrt())
    return torch.nn.functional.pad(axes, (0, width - axes.shape[1])).float()
