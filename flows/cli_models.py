"""The commands about models: what training one would take, and what it writes."""

import json
import sys
from typing import Annotated

import typer

from flows.cli_corpora import AsJson, Dataset
from flows.initial import pinned
from flows.layout import Layout
from flows.run import Options, prepare
from flows.settings import Settings
from modeling.presets import PRESETS


def plan(
    dataset: Dataset,
    preset: Annotated[
        str | None, typer.Option(help=f"Size and recipe: {', '.join(PRESETS)}.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="How long to train: 90s, 3m, 2h, 2Mchars, 3epochs.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As train.model.hidden_size=512."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run would reuse and what it would take, after measuring this machine.

    Takes some seconds, runs nothing. Example: charmill plan torch --preset base --budget 2h
    """
    from flows.forecast import forecast, forecast_lines
    from flows.plan import make_plan
    from flows.terminal import out, show_plan

    settings = Settings()
    layout = Layout(settings.artifacts_root)
    asked = Options(preset=preset, budget=budget, overrides=tuple(overrides or ()))
    options = pinned(asked, layout)
    run = prepare(dataset, options, settings.dataset_folders)
    made = make_plan(run, options, layout)
    found = forecast(run, made, settings)
    if as_json:
        stages = [decision.to_dict() for decision in made.decisions]
        out.print_json(
            json.dumps({"dataset": dataset, "stages": stages, "training": found.to_dict()})
        )
        return
    show_plan(made)
    for line in forecast_lines(found):
        out.print(line, markup=False)


def sample(
    dataset: Dataset,
    prompt: Annotated[str, typer.Option(help="Text to go on from; empty: a new file.")] = "",
    temperature: Annotated[float, typer.Option(help="Below 1 bolder, above 1 wilder.")] = 0.8,
    length: Annotated[int, typer.Option(help="Characters to write.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same text.")] = 0,
    stream: Annotated[bool, typer.Option("--stream", help="Print while writing.")] = False,
) -> None:
    """Let the dataset's newest model write.

    Example: charmill sample python-stdlib --prompt "def main(" --stream
    """
    from flows.sample import write_one
    from flows.shelf import latest_folder

    settings = Settings()
    prepare(dataset, Options(), settings.dataset_folders)
    folder = latest_folder(Layout(settings.artifacts_root), "train", dataset)
    pieces = write_one(
        folder,
        device=settings.device,
        prompt=prompt,
        temperature=temperature,
        length=length,
        seed=seed,
    )
    sys.stdout.write(prompt)
    for piece in pieces if stream else ["".join(pieces)]:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
