"""How far back a model looks: bits of the same characters, with so many before each.

A window is read from the state of zeros, as a network reads it that was trained on windows.
"""

import math
from collections.abc import Sequence

import numpy as np

from flows.api.dataset import Dataset
from modeling.inference.likelihood import surprisals
from modeling.vocab import Ids

LONGEST = 400
"""Every character that counts has so many before it, whatever is shown of them."""
POSITIONS = 4000


def bits_after(dataset: Dataset, length: float) -> float:
    """Mean bits of held-out characters, each after `length` characters of its document.

    Args:
        dataset: whose last model, or that of its report, is asked.
        length: 1 to LONGEST; math.inf for all that are before it.
    """
    model = dataset.model("cpu")
    texts = dataset.documents("test", text=True)["text"]
    documents = model.vocabulary.encode_documents(list(texts))
    places = chosen(documents)
    if length == math.inf:
        whole = dict(surprisals(model.network, model.vocabulary, documents))
        return float(np.mean([whole[document][place - 1] for document, place in places]))
    windows = [documents[document][place - int(length) : place + 1] for document, place in places]
    scored = surprisals(model.network, model.vocabulary, windows)
    return float(np.mean([bits[-1] for _, bits in scored]))


def chosen(documents: Sequence[Ids]) -> list[tuple[int, int]]:
    """Documents and places in them, drawn from all that have LONGEST characters before them."""
    free = np.array([max(0, len(ids) - 1 - LONGEST) for ids in documents])
    ends = np.cumsum(free)
    drawn = np.random.default_rng(0).integers(0, ends[-1], POSITIONS)
    document = np.searchsorted(ends, drawn, side="right")
    place = drawn - (ends - free)[document] + 1 + LONGEST
    return list(zip(document.tolist(), place.tolist(), strict=True))
