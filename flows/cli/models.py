"""The commands about models: what training one would take, and what it writes."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from flows.cli.options import AsJson, BudgetText, Dataset, Overrides, Preset
from flows.errors import StageError
from flows.options import Options, prepare
from flows.planning.init_from import pinned
from flows.settings import Settings
from flows.store.paths import Layout
from modeling.inference.settings import SamplingSettings

MOST_UNITS = 1000
"""So many units are judged, at most, for each that is wanted."""


def plan(
    dataset: Dataset,
    preset: Preset = None,
    budget: BudgetText = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run would reuse and what it would take, after measuring this machine.

    Takes some seconds, runs nothing. Example: charmill plan numpy --preset base --budget 2h
    """
    from flows.cli.render import show_plan
    from flows.console import out
    from flows.planning.forecast import forecast, forecast_lines
    from flows.planning.plan import make_plan

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
    top_k: Annotated[
        int | None, typer.Option(help="Choose among so many likeliest characters.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Among the fewest that have so much probability.")
    ] = None,
    max_run: Annotated[
        int | None, typer.Option(help="No character more often than this in a row.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(help="Characters to write: 1,000; with --until 4,000 a stream.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same text.")] = 0,
    stream: Annotated[bool, typer.Option("--stream", help="Print while writing.")] = False,
    until: Annotated[
        int | None, typer.Option(min=1, help="Write until so many units are valid; print those.")
    ] = None,
) -> None:
    """Let the dataset's newest model write.

    Example: charmill sample python-stdlib --prompt "def main(" --stream

    With --until, units (functions, classes, blocks) that do not parse or balance are rejected, and
    the share that was accepted is printed. Example: charmill sample hadoop --until 5
    """
    from flows.stages.sample import write_one, write_until
    from flows.store.status import latest_folder

    settings = Settings()
    language = prepare(dataset, Options(), settings.dataset_folders).spec.language
    folder = latest_folder(Layout(settings.artifacts_root), "train", dataset)
    default_length = 1000 if until is None else 4000
    sampling = SamplingSettings(
        length=default_length if length is None else length,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        max_run=max_run,
    )
    if until is not None:
        units = write_until(folder, sampling, language=language, device=settings.device, seed=seed)
        _print_valid(units, until)
        return
    pieces = write_one(folder, sampling, device=settings.device, seed=seed)
    sys.stdout.write(prompt)
    for piece in pieces if stream else ["".join(pieces)]:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _print_valid(units: Iterator[tuple[str, bool]], wanted: int) -> None:
    """Print valid units until there are enough, and what share was accepted."""
    from flows.console import err
    from flows.stages.sample import printable

    accepted = judged = 0
    for unit, is_valid in units:
        judged, accepted = judged + 1, accepted + is_valid
        if is_valid:
            sys.stdout.write(printable(unit).strip("\n") + "\n\n")
            sys.stdout.flush()
        if accepted == wanted or judged == MOST_UNITS * wanted:
            break
    err.print(f"accepted {accepted:,} of {judged:,} units: {accepted / max(judged, 1):.1%}")
    if accepted < wanted:
        raise StageError(
            f"only {accepted} of {judged:,} units were valid: train longer, or lower --temperature"
        )
