"""Which recipe is best for how much time: the sweep that the presets come from.

    python -m benchmarks.sweep TEXT ... [--cpu-minutes 3] [--seeds 1] [--only NAME,NAME]

Every variant differs from the preset by what its name says. Scored on the validation text, never on
the test text; a Markdown row for each result as it comes.
"""

import argparse
import operator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.quality import charmill, load, per_character, static
from modeling.config import Budget, TrainConfig, train_config_with
from modeling.presets import PRESETS

TWO_LAYERS = {"model.num_layers": 2, "model.skip": True}
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "1x256": {"model.hidden_size": 256},
    "1x384": {"model.hidden_size": 384},
    "1x512": {"model.hidden_size": 512},
    "1x768": {"model.hidden_size": 768},
    "2x256 skip": {"model.hidden_size": 256, **TWO_LAYERS},
    "2x384 skip": {"model.hidden_size": 384, **TWO_LAYERS},
    "rate / 2": {"learning_rate": 0.5},
    "rate x 2": {"learning_rate": 2.0},
    "B 16": {"batch_size": 16},
    "B 64": {"batch_size": 64},
    "T 64": {"chunk_length": 64},
    "no jumps": {"jump_probability": 0.0},
    "dropout .1": {"model.dropout": 0.1},
    "dropout .25": {"model.dropout": 0.25},
    "weight decay .1": {"weight_decay": 0.1},
    "no n-grams": {"model.ngram_order": 0},
    "n-grams to order 3": {"model.ngram_order": 3},
    "n-grams to order 7": {"model.ngram_order": 7},
    "a quarter of the rows": {"model.ngram_rows": 0.25},
    "no layout": {"model.layout": False},
    "no direct connections": {"model.direct": False},
    "n-gram dropout .25": {"model.ngram_dropout": 0.25},
    "n-grams' rate / 3": {"ngram_learning_rate": 1 / 3},
}
FACTORS = {"learning_rate", "ngram_learning_rate", "model.ngram_rows"}
"""Settings of which a variant gives the factor."""


def changes_of(variant: dict[str, Any], base: TrainConfig) -> dict[str, Any]:
    """The settings that a variant changes, factors multiplied out."""
    return {
        key: type(operator.attrgetter(key)(base))(value * operator.attrgetter(key)(base))
        if key in FACTORS
        else value
        for key, value in variant.items()
    }


def main() -> None:
    """Train every variant and print what it needs for the validation text."""
    parser = argparse.ArgumentParser(description="Which recipe is best for how much time.")
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--cpu-minutes", type=float, default=3)
    parser.add_argument("--preset", default="base", choices=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default=",".join(VARIANTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    base = PRESETS[arguments.preset]
    print("| text | variant | seed | M characters | validation bits/character |")
    print("|---|---|---|---|---|", flush=True)
    for path in arguments.texts:
        texts = load(path)
        validation = replace(texts, test=texts.validation)
        for name in arguments.only.split(","):
            for seed in range(arguments.seeds):
                config = replace(
                    train_config_with(base, changes_of(VARIANTS[name], base)),
                    budget=Budget(seconds=60 * arguments.cpu_minutes),
                    seed=seed,
                )
                model, totals = charmill(texts, config)
                bits = per_character(static(validation, model))
                row = (texts.name, name, str(seed), f"{totals.characters / 1e6:.2f}", f"{bits:.4f}")
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
