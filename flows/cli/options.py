"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from flows.options import Options
from flows.retention.limits import Limits
from modeling.presets import PRESETS

Dataset = Annotated[str, typer.Argument(help="Name of a dataset; see `charmill datasets`.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help=Options.help("overrides")),
]
Force = Annotated[bool, typer.Option("--force", help=Options.help("force"))]
AllowStale = Annotated[bool, typer.Option(help=Options.help("allow_stale"))]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Preset = Annotated[
    str | None, typer.Option(help=f"{Options.help('preset')} One of {', '.join(PRESETS)}.")
]
BudgetText = Annotated[str | None, typer.Option(help=Options.help("budget"))]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect UI.")]
KeepLast = Annotated[int, typer.Option(min=1, help=Limits.help("keep_last"))]
OlderThan = Annotated[str, typer.Option(metavar="AGE", help=Limits.help("older_than"))]
MaxSize = Annotated[str, typer.Option(metavar="SIZE", help=Limits.help("max_size"))]
History = Annotated[str, typer.Option(metavar="AGE", help=Limits.help("history"))]
