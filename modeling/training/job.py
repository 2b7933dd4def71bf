"""What a training is given: its configuration and its data."""

from collections.abc import Sequence
from dataclasses import dataclass

from modeling.config import TrainConfig
from modeling.models.model import CharModel
from modeling.vocab import Ids, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """A configuration, and the text to train and validate on.

    Attributes:
        vocabulary: the one that encoded the texts.
        stream: the training documents, each preceded by its mark, (N,) uint16; may be a memmap.
        validation: documents, each beginning with its mark; may be empty.
        initial: a model to start from, and its vocabulary, for fine-tuning.
    """

    config: TrainConfig
    vocabulary: Vocabulary
    stream: Ids
    validation: Sequence[Ids]
    initial: tuple[CharModel, Vocabulary] | None = None
