"""Begin a training with the weights of another: fine-tuning on other text.

Shapes: V ids of the new vocabulary, W of the old one.
"""

import torch
from torch import Tensor

from modeling.models.lstm import CharLSTM
from modeling.vocab import SPECIALS, Vocabulary

PER_ID = ("embedding.weight", "output.weight", "output.bias", "ngrams.codes")
"""Tensors with one row for each id."""


def take_over(
    model: CharLSTM, vocabulary: Vocabulary, source: CharLSTM, source_vocabulary: Vocabulary
) -> int:
    """Copy the weights of `source` into `model`.

    What belongs to a character goes with the character, whatever its id is; a character that the
    source has never seen keeps the weights that `model` was made with.

    Args:
        model: of V ids, changed in place.
        vocabulary: of `model`.
        source: of W ids, of the same shape otherwise.
        source_vocabulary: of `source`.

    Returns:
        How many characters of `vocabulary` the source did not know.

    Raises:
        ValueError: the models are of different shape.
    """
    if model.config != source.config:
        raise ValueError(
            f"the model to begin with has the shape {_words(source)}, this one {_words(model)}; "
            "they must be equal"
        )
    places = {character: SPECIALS + i for i, character in enumerate(source_vocabulary.characters)}
    known = [
        (SPECIALS + i, places[character])
        for i, character in enumerate(vocabulary.characters)
        if character in places
    ]
    ours, theirs = torch.tensor([*((i, i) for i in range(SPECIALS)), *known]).unbind(dim=1)
    weights = model.state_dict()
    if model.ngrams is not None and source.ngrams is not None:
        # What is new to the source gets numbers that none of its characters has.
        weights["ngrams.codes"] = source.ngrams.codes.max() + weights["ngrams.codes"]
    for name, value in source.state_dict().items():
        weights[name] = _rows(weights[name], value, ours, theirs) if name in PER_ID else value
    model.load_state_dict(weights)
    return len(vocabulary.characters) - len(known)


def _rows(target: Tensor, source: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    result = target.clone()
    result[ours.to(target.device)] = source.to(target.device)[theirs.to(target.device)]
    return result


def _words(model: CharLSTM) -> str:
    shape = model.config
    words = f"{shape.num_layers}x{shape.hidden_size}, embedding {shape.embedding_size}"
    if shape.ngram_order:
        words += f", n-grams to order {shape.ngram_order} in {shape.ngram_rows} rows each"
    return words + ", skip" * shape.skip + ", no output norm" * (not shape.output_norm)
