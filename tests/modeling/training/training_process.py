"""Train in a separate process that tests kill: python training_process.py DIRECTORY."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from modeling.checkpoint import load_checkpoint, save_checkpoint, save_model
from modeling.config import Budget, ModelConfig, TrainConfig
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from modeling.vocab import Vocabulary

CONFIG = TrainConfig(
    model=ModelConfig(embedding_size=8, hidden_size=32, num_layers=2, dropout=0.2),
    budget=Budget(characters=15_000),
    batch_size=4,
    chunk_length=16,
    validation_every=0.2,
    validation_characters=500,
)


def main(directory: Path) -> None:
    """Train from the last checkpoint to the end, with a checkpoint every third update."""
    torch.set_num_threads(1)
    texts = [f"line {i}, " * (i % 40) + "end\n" for i in range(300)]
    vocabulary = Vocabulary.from_counts(Counter("".join(texts)), min_count=1)
    documents = vocabulary.encode_documents(texts)
    job = TrainingJob(
        config=CONFIG,
        vocabulary=vocabulary,
        stream=np.concatenate(documents[:280]),
        validation=documents[280:],
    )
    trainer = Trainer(
        job,
        device=torch.device("cpu"),
        checkpoint=load_checkpoint(directory / "checkpoints"),
    )
    for progress in trainer.run():
        print(progress.step, flush=True)  # noqa: T201 - tells the killer where it is
        if progress.step % 3 == 0:
            save_checkpoint(directory / "checkpoints", trainer.checkpoint())
    save_checkpoint(directory / "end", trainer.checkpoint())
    save_model(directory / "model", CONFIG, vocabulary, trainer.best_model())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
