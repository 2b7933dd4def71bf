"""Ready-made configurations: for minutes, tens of minutes, hours, and those of older blog posts.

docs/figures.md measures the quality of `small` and `base`: `small` is for texts of about 1 MB,
which a model without strong regularisation memorises, `base` for 10 MB. `smoke` is the best
three-minute configuration of the sweep there, `smoke-small` the same with dropout, for about 1 MB;
`large` has never been run to its end. The presets of the posts have their shapes, chunk lengths and
dropout, but are trained our way: state carried between chunks, every character a target, AdamW.
Their budgets are the posts' training times; override them with `--budget`.
"""

from modeling.config import Budget, ModelConfig, TrainConfig

PRESETS: dict[str, TrainConfig] = {
    "smoke": TrainConfig(
        model=ModelConfig(ngram_order=5, ngram_dropout=0.25, layout=True, direct=True),
        budget=Budget(seconds=180),
        ngram_learning_rate=0.06,
        validation_characters=50_000,
    ),
    "smoke-small": TrainConfig(
        model=ModelConfig(dropout=0.3, ngram_order=5, ngram_dropout=0.5, layout=True, direct=True),
        budget=Budget(seconds=180),
        ngram_learning_rate=0.06,
        validation_characters=50_000,
    ),
    "small": TrainConfig(
        model=ModelConfig(
            hidden_size=512, dropout=0.7, ngram_order=5, ngram_rows=2**17, ngram_dropout=0.8
        ),
        budget=Budget(seconds=600),
        learning_rate=6e-3,
        ngram_learning_rate=0.03,
        weight_decay=0.1,
        checkpoint_seconds=60,
    ),
    "base": TrainConfig(
        model=ModelConfig(
            hidden_size=384,
            ngram_order=5,
            ngram_rows=2**17,
            ngram_dropout=0.25,
            layout=True,
            direct=True,
        ),
        budget=Budget(seconds=600),
        learning_rate=6e-3,
        checkpoint_seconds=60,
    ),
    "large": TrainConfig(
        model=ModelConfig(
            embedding_size=128,
            hidden_size=1024,
            num_layers=3,
            dropout=0.25,
            skip=True,
            ngram_order=5,
            ngram_rows=2**17,
            ngram_dropout=0.25,
        ),
        budget=Budget(seconds=3 * 3600),
        batch_size=256,
        chunk_length=128,
        learning_rate=2e-3,
        validation_every=0.05,
        checkpoint_seconds=300,
    ),
    "char-rnn": TrainConfig(
        model=ModelConfig(embedding_size=64, hidden_size=128, num_layers=2, output_norm=False),
        budget=Budget(epochs=50),
        batch_size=50,
        chunk_length=50,
        learning_rate=2e-3,
        jump_probability=0.0,
    ),
    "post-linux": TrainConfig(
        model=ModelConfig(embedding_size=64, hidden_size=256, num_layers=6, dropout=0.3, skip=True),
        budget=Budget(seconds=12 * 3600),
        chunk_length=80,
        learning_rate=2e-3,
        checkpoint_seconds=300,
    ),
    "post-hadoop": TrainConfig(
        model=ModelConfig(embedding_size=64, hidden_size=512, num_layers=3, dropout=0.3),
        budget=Budget(seconds=7 * 24 * 3600),
        batch_size=64,
        chunk_length=80,
        learning_rate=2e-3,
        validation_every=0.02,
        checkpoint_seconds=300,
    ),
    "post-numpy": TrainConfig(
        model=ModelConfig(embedding_size=64, hidden_size=512, num_layers=3, dropout=0.5),
        budget=Budget(seconds=24 * 3600),
        batch_size=64,
        chunk_length=50,
        learning_rate=2e-3,
        validation_every=0.02,
        checkpoint_seconds=300,
    ),
}
