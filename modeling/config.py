"""Everything that determines a training, as frozen values that JSON can hold.

Text becomes configuration only here: `train_config_with` reads dotted keys, `Budget.parse` reads
budgets. A wrong value raises a ConfigError, one line that names the field and the allowed values.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from modeling.errors import ConfigError

Precision = Literal["auto", "float32", "bfloat16"]
BUDGET_FORMS = "90s, 3m, 2h, 500kchars, 2Mchars, 3epochs"
_BUDGET = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)(s|m|h|chars|kchars|Mchars|Gchars|epochs?)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_CHARACTERS = {"Gchars": 10**9, "Mchars": 10**6, "kchars": 10**3, "chars": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to train: exactly one of wall time in seconds, characters, epochs."""

    seconds: float | None = None
    characters: int | None = None
    epochs: float | None = None

    def __post_init__(self) -> None:
        given = [v for v in (self.seconds, self.characters, self.epochs) if v is not None]
        if len(given) != 1 or not 0 < given[0] < math.inf:
            raise ConfigError(
                f"a budget is one positive amount such as {BUDGET_FORMS}; got {given}"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "90s", "3m", "2h", "500kchars", "2Mchars", "3epochs" and the like.

        Raises:
            ConfigError: the text has none of these forms, or the amount is not positive.
        """
        match = _BUDGET.fullmatch(text.strip())
        if match is None or not 0 < float(match[1]) < math.inf:
            raise ConfigError(f"budget {text!r} is none of the forms {BUDGET_FORMS}")
        amount, unit = float(match[1]), match[2]
        if unit in _SECONDS:
            return cls(seconds=amount * _SECONDS[unit])
        if unit in _CHARACTERS:
            return cls(characters=max(1, round(amount * _CHARACTERS[unit])))
        return cls(epochs=amount)

    def __str__(self) -> str:
        """The shortest text that `parse` reads as this budget."""
        if self.epochs is not None:
            return f"{_shortest(self.epochs)}epoch{'s' * (self.epochs != 1)}"
        units = _CHARACTERS if self.seconds is None else _SECONDS
        amount = self.characters if self.seconds is None else self.seconds
        assert amount is not None
        unit = next((u for u, size in units.items() if amount % size == 0), "s")
        return f"{_shortest(amount / units[unit] if unit != 'chars' else amount)}{unit}"


def _shortest(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) else repr(float(amount))


def _budget_of(value: object) -> Budget:
    if isinstance(value, Budget):
        return value
    if isinstance(value, str):
        return Budget.parse(value)
    raise ConfigError(f"a budget is a text such as {BUDGET_FORMS}")


def _check_ranges(config: object, ranges: Mapping[str, tuple[float, float]]) -> None:
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if not low <= value <= high:
            raise ConfigError(f"{name} must lie in [{low:g}, {high:g}], got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of a model.

    Attributes:
        architecture: key in `modeling.models.MODELS`.
        embedding_size: numbers that represent a character.
        hidden_size: units of a layer.
        num_layers: layers, one after the other.
        dropout: probability, between layers and before the output.
        output_norm: apply LayerNorm before the output layer.
        skip: every layer but the first adds its input to its output.
        tied: use one matrix for the embedding and the output weights (Press & Wolf 2017); requires
            embedding_size to equal hidden_size.
        ngram_order: also embed the n-grams of orders 2 to this one that end at a character; 0 for
            none.
        ngram_rows: rows of the table per order; n-grams are hashed to rows.
        ngram_dropout: probability that an n-gram is omitted in training.
        layout: with n-grams of order 3 or more, also embed the place in the line: the column and,
            in an indentation, that of the line above.
        direct: with n-grams, also connect the embedded input to the output, past the layers.
    """

    architecture: str = "lstm"
    embedding_size: int = 64
    hidden_size: int = 256
    num_layers: int = 1
    dropout: float = 0.0
    output_norm: bool = True
    skip: bool = False
    tied: bool = False
    ngram_order: int = 0
    ngram_rows: int = 2**16
    ngram_dropout: float = 0.0
    layout: bool = False
    direct: bool = False

    def __post_init__(self) -> None:
        _check_ranges(
            self,
            {
                "embedding_size": (1, 2**14),
                "hidden_size": (1, 2**14),
                "num_layers": (1, 64),
                "dropout": (0, 0.95),
                "ngram_order": (0, 32),
                "ngram_rows": (1, 2**28),
                "ngram_dropout": (0, 0.95),
            },
        )
        if self.ngram_order == 1:
            raise ConfigError(
                "ngram_order must be 0 for none, or 2 to 32; order 1 is the embedding"
            )
        if self.tied and self.embedding_size != self.hidden_size:
            raise ConfigError(
                f"tied: embedding_size must equal hidden_size, got {self.embedding_size} and "
                f"{self.hidden_size}"
            )

    @property
    def has_layout(self) -> bool:
        """Whether the place in the line is embedded."""
        return self.layout and self.ngram_order >= 3

    @property
    def has_direct(self) -> bool:
        """Whether the embedded input is connected to the output."""
        return self.direct and self.ngram_order >= 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A training, except its data and its device.

    Attributes:
        model: shape of the model.
        budget: how long to train: time, characters or epochs.
        batch_size: parallel streams; lowered if the corpus is too small for them.
        chunk_length: characters between two updates; gradients reach no further back.
        learning_rate: the peak; linear warm-up, then cosine to zero.
        ngram_learning_rate: the peak for the table of n-grams, which Adagrad optimises.
        warmup: fraction of the budget.
        beta1: of AdamW, the decay of its mean of gradients.
        beta2: of AdamW, the decay of its mean of squared gradients.
        weight_decay: of AdamW.
        clip_norm: gradients with a larger norm are scaled down to it.
        jump_probability: probability of a jump to a random position in the corpus, per stream and
            chunk; applies only if the budget covers fewer than two epochs.
        precision: of matrix products in training. "bfloat16" rounds the factors and sums in
            float32; weights and updates stay float32. "auto" uses the one measured to be faster.
        min_count: characters that occur less often in the training text share the unknown id; it is
            charged in bits, not skipped.
        seed: of the weights, of dropout and of jumps.
        validation_every: fraction of the budget between two validations.
        validation_characters: approximate number of characters scored by each validation.
        patience: training stops early after this many validations in a row without a new best; 0
            for never.
        checkpoint_seconds: seconds between checkpoints, the work that a kill may cost.
    """

    model: ModelConfig = ModelConfig()
    budget: Annotated[Budget, BeforeValidator(_budget_of)] = Budget(seconds=180)
    batch_size: int = 32
    chunk_length: int = 32
    learning_rate: float = 8e-3
    ngram_learning_rate: float = 0.1
    warmup: float = 0.03
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    jump_probability: float = 0.25
    precision: Precision = "auto"
    min_count: int = 2
    seed: int = 0
    validation_every: float = 0.1
    validation_characters: int = 100_000
    patience: int = 0
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        _check_ranges(
            self,
            {
                "batch_size": (1, 2**16),
                "chunk_length": (2, 2**16),
                "learning_rate": (1e-9, 10),
                "ngram_learning_rate": (1e-9, 10),
                "warmup": (0, 0.9),
                "beta1": (0, 0.9999),
                "beta2": (0, 0.999999),
                "weight_decay": (0, 10),
                "clip_norm": (1e-6, 1e6),
                "jump_probability": (0, 1),
                "min_count": (1, 2**31),
                "seed": (0, 2**63 - 1),
                "validation_every": (1e-3, 1),
                "validation_characters": (1, 2**40),
                "patience": (0, 10**6),
                "checkpoint_seconds": (0, 86_400),
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to a nested plain dict; `train_config_from` is the inverse."""
        return asdict(self) | {"budget": str(self.budget)}


_ADAPTER = TypeAdapter(TrainConfig)


def train_config_from(values: Mapping[str, Any]) -> TrainConfig:
    """Read a nested plain dict; missing fields have their defaults.

    Raises:
        ConfigError: as `train_config_with`.
    """
    return train_config_with(TrainConfig(), _flat(values))


def train_config_with(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    """Change some fields of a configuration.

    Args:
        config: provides the other fields.
        changes: dotted key ("model.hidden_size"), or nested keys, to value, a plain value or its
            text. Of the same setting in both forms the later one counts.

    Raises:
        ConfigError: an unknown key, or a value that its field does not allow.
    """
    values = _flat(config.to_dict())
    changes = _flat(changes)
    unknown = sorted(changes.keys() - values.keys())
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0]!r}; known: {', '.join(values)}")
    try:
        return _ADAPTER.validate_python(_nested(values | changes))
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else None
        flat |= {f"{prefix}{key}": value} if inner is None else inner
    return flat


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value
    return nested


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{field}: {message}" if field else message
    return f"{field}: {message[:1].lower()}{message[1:]}, got {first['input']!r}"
