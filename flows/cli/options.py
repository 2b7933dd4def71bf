"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from modeling.presets import PRESETS

Dataset = Annotated[str, typer.Argument(help="Name of a dataset; see `charmill datasets`.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="As train.seed=1 or corpus.max_bytes=9000."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Run again even what is current; keeps the old.")
]
AllowStale = Annotated[
    bool, typer.Option(help="If the source cannot be reached, take what was fetched last.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Preset = Annotated[str | None, typer.Option(help=f"Size and recipe: {', '.join(PRESETS)}.")]
BudgetText = Annotated[
    str | None, typer.Option(help="How long to train: 90s, 3m, 2h, 2Mchars, 3epochs.")
]
