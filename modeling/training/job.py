"""What a training is given: its configuration and its data."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from modeling.config import TrainConfig
from modeling.engines.batches import Batches
from modeling.models.model import CharModel
from modeling.vocab import Ids, Vocabulary

_log = logging.getLogger(__name__)


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

    def batches(self) -> Batches:
        """The text in chunks, from the start.

        Raises:
            TextError: there is too little text.
        """
        config = self.config
        batches = Batches(
            self.stream,
            batch_size=config.batch_size,
            chunk_length=config.chunk_length,
            jump_probability=config.jump_probability,
            line_break=int(self.vocabulary.encode("\n")[0]) if config.model.has_layout else None,
            seed=config.seed,
        )
        if batches.batch_size < config.batch_size:
            _log.info("small corpus: batch_size lowered to %d", batches.batch_size)
        return batches
