"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from corpora.spec import dataset_files
from flows.options import Options
from flows.retention.limits import Limits
from modeling.presets import PRESETS
from system.errors import CharmillError
from system.settings import Settings


def dataset_names() -> list[str]:
    """The names that a shell completes; none where a faulty TOML or variable would be an error."""
    try:
        return list(dataset_files(Settings().dataset_folders))
    except CharmillError:
        return []


Dataset = Annotated[
    str,
    typer.Argument(
        help="Name of a dataset; see `charmill datasets`.", autocompletion=dataset_names
    ),
]
AnyDataset = Annotated[
    str | None,
    typer.Argument(
        help="Name of a dataset; all datasets if omitted.", autocompletion=dataset_names
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help=Options.help("overrides")),
]
Force = Annotated[bool, typer.Option("--force", help=Options.help("force"))]
AllowStale = Annotated[bool, typer.Option(help=Options.help("allow_stale"))]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Preset = Annotated[
    str | None,
    typer.Option(
        help=f"{Options.help('preset')} One of {', '.join(PRESETS)}.",
        autocompletion=lambda: list(PRESETS),
    ),
]
BudgetText = Annotated[str | None, typer.Option(help=Options.help("budget"))]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect UI.")]
KeepLast = Annotated[int, typer.Option(min=1, help=Limits.help("keep_last"))]
OlderThan = Annotated[str, typer.Option(metavar="AGE", help=Limits.help("older_than"))]
MaxSize = Annotated[str, typer.Option(metavar="SIZE", help=Limits.help("max_size"))]
History = Annotated[str, typer.Option(metavar="AGE", help=Limits.help("history"))]
