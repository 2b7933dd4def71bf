"""Ready-made training runs: minutes on two cores, tens of minutes, hours on a GPU.

`smoke` is measured: of the recipes tried it has the lowest held-out bits after 40 and after 120
CPU-seconds. `base` extends it; `large` has never been run to its end.
"""

from modeling.config import Budget, ModelConfig, TrainConfig

PRESETS: dict[str, TrainConfig] = {
    "smoke": TrainConfig(
        model=ModelConfig(embedding_size=64, hidden_size=256),
        budget=Budget(seconds=180),
        validation_characters=50_000,
    ),
    "base": TrainConfig(
        model=ModelConfig(embedding_size=64, hidden_size=512),
        budget=Budget(seconds=1200),
        learning_rate=5e-3,
        checkpoint_seconds=60,
    ),
    "large": TrainConfig(
        model=ModelConfig(
            embedding_size=128, hidden_size=1024, num_layers=3, dropout=0.25, skip=True
        ),
        budget=Budget(seconds=3 * 3600),
        batch_size=256,
        chunk_length=128,
        learning_rate=2e-3,
        validation_every=0.05,
        checkpoint_seconds=300,
    ),
}
