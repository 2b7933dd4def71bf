"""Fine-tuning: start a training from the weights of another model.

Shapes: V ids of the new vocabulary, W of the old one.
"""

import torch
from torch import Tensor

from modeling.errors import CheckpointError
from modeling.models.model import CharModel
from modeling.vocab import SPECIALS, Vocabulary


def take_over(
    model: CharModel, vocabulary: Vocabulary, source: CharModel, source_vocabulary: Vocabulary
) -> int:
    """Copy the weights of `source` into `model`.

    Weights of a character move with the character, even if its id differs. A character that the
    source does not know keeps the initial weights of `model`.

    Args:
        model: has V ids; changed in place.
        vocabulary: of `model`.
        source: has W ids, and otherwise the same shape.
        source_vocabulary: of `source`.

    Returns:
        Number of characters of `vocabulary` that the source does not know.

    Raises:
        CheckpointError: the models differ in shape.
    """
    if model.config != source.config:
        raise CheckpointError(
            f"the initial model has the shape {_describe(source)}, this one {_describe(model)}; "
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
        # Characters that are new to the source get numbers that none of its characters has.
        weights["ngrams.codes"] = source.ngrams.codes.max() + weights["ngrams.codes"]
    for name, value in source.state_dict().items():
        weights[name] = _rows(weights[name], value, ours, theirs) if name in model.per_id else value
    model.load_state_dict(weights)
    return len(vocabulary.characters) - len(known)


def _rows(target: Tensor, source: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    result = target.clone()
    result[ours.to(target.device)] = source.to(target.device)[theirs.to(target.device)]
    return result


def _describe(model: CharModel) -> str:
    shape = model.config
    words = f"{shape.architecture} {shape.num_layers}x{shape.hidden_size}"
    words += f", embedding {shape.embedding_size}"
    if shape.ngram_order:
        words += f", n-grams to order {shape.ngram_order} with {shape.ngram_rows} rows each"
        words += ", layout" * shape.has_layout + ", direct" * shape.has_direct
    return words + ", skip" * shape.skip + ", no output norm" * (not shape.output_norm)
