"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from modeling.presets import PRESETS

Dataset = Annotated[str, typer.Argument(help="Name of a dataset; see `charmill datasets`.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, as train.seed=1 or corpus.max_bytes=9000; may be repeated.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Run again even if up to date; earlier results are kept.")
]
AllowStale = Annotated[
    bool, typer.Option(help="Use the newest earlier fetch if the source cannot be reached.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Preset = Annotated[
    str | None,
    typer.Option(
        help=f"Model size and training recipe: {', '.join(PRESETS)}; default: the dataset's."
    ),
]
BudgetText = Annotated[
    str | None,
    typer.Option(help="How long to train: 90s, 3m, 2h, 2Mchars or 3epochs; default: the preset's."),
]
