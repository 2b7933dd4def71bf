"""The commands about models: the cost of training one, and the text it generates."""

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from flows.cli.options import AsJson, BudgetText, Dataset, Overrides, Preset
from flows.errors import StageError
from flows.options import OWN_PRESET, Options, prepare
from flows.planning.init_from import pinned
from flows.store.integrity import verified
from flows.store.runs import Store
from system.settings import Settings

MAX_UNITS_PER_VALID = 1000
"""Limit on the units generated per valid unit that the user asked for."""


def plan(
    dataset: Dataset,
    preset: Preset = None,
    budget: BudgetText = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what a run would do, and how long it takes.

    Shows which stages would be reused and which would run, and measures for a few seconds how fast
    this machine trains. Runs no stage.

    Example: charmill plan numpy --preset base --budget 2h
    """
    from flows.cli.render import show_plan
    from flows.console import out, print_json
    from flows.planning.forecast import forecast, forecast_lines
    from flows.planning.plan import make_plan

    settings = Settings()
    store = Store(settings.artifacts_root)
    options = Options(
        preset=preset or OWN_PRESET, budget=budget or "", overrides=tuple(overrides or ())
    )
    options = pinned(options, store)
    run = prepare(dataset, options, settings.dataset_folders)
    stage_plan = make_plan(run, options, store)
    found = forecast(run, stage_plan, settings)
    if as_json:
        stages = [decision.to_dict() for decision in stage_plan.decisions]
        print_json({"dataset": dataset, "stages": stages, "training": found.to_dict()})
        return
    show_plan(stage_plan)
    for line in forecast_lines(found):
        out.print(line, markup=False)


def sample(
    dataset: Dataset,
    prompt: Annotated[str, typer.Option(help="Text to continue; empty: start a new file.")] = "",
    temperature: Annotated[
        float, typer.Option(help="Lower is more predictable, higher more varied; 0: greedy.")
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Sample from the K most likely characters.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="Nucleus sampling: the smallest set of characters whose probabilities sum to P."
        ),
    ] = None,
    max_run: Annotated[int | None, typer.Option(help="Longest run of one character.")] = None,
    sharpen_runs: Annotated[
        bool,
        typer.Option(
            "--sharpen-runs", help="Let a temperature below 1 favour long runs of one character."
        ),
    ] = False,
    length: Annotated[
        int | None,
        typer.Option(
            help="Characters to generate (default: 1,000; with --until, 4,000 per stream)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same text.")] = 0,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print characters as they are generated.")
    ] = False,
    until: Annotated[
        int | None, typer.Option(min=1, help="Generate until N units are valid, and print those.")
    ] = None,
) -> None:
    """Generate text with the dataset's newest model.

    Example: charmill sample python-stdlib --prompt "def main(" --stream

    With --until, units (functions, classes, blocks) that do not parse or balance are rejected, and
    the acceptance rate is printed.

    Example: charmill sample hadoop --until 5
    """
    from flows.stages.sample import write_one, write_until
    from modeling.inference.settings import SamplingSettings

    settings = Settings()
    language = prepare(dataset, Options(), settings.dataset_folders).spec.language
    folder = verified(Store(settings.artifacts_root).runs("train", dataset).last())
    default_length = 1000 if until is None else 4000
    sampling = SamplingSettings(
        length=default_length if length is None else length,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        max_run=max_run,
        sharpen_runs=sharpen_runs,
    )
    if until is not None:
        units = write_until(folder, sampling, language=language, device=settings.device, seed=seed)
        _print_valid(units, until)
    else:
        pieces = write_one(folder, sampling, device=settings.device, seed=seed)
        _print_text(prompt, pieces if stream else ["".join(pieces)])


def _print_text(prompt: str, pieces: Iterable[str]) -> None:
    """Print a prompt and its continuation, each piece as it comes."""
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _print_valid(units: Iterator[tuple[str, bool]], wanted: int) -> None:
    """Print units until `wanted` are valid, then the acceptance rate."""
    from flows.console import err
    from flows.stages.sample import printable

    accepted = judged = 0
    for unit, is_valid in units:
        judged, accepted = judged + 1, accepted + is_valid
        if is_valid:
            sys.stdout.write(printable(unit).strip("\n") + "\n\n")
            sys.stdout.flush()
        if accepted == wanted or judged == MAX_UNITS_PER_VALID * wanted:
            break
    err.print(f"accepted {accepted:,} of {judged:,} units: {accepted / max(judged, 1):.1%}")
    if accepted < wanted:
        raise StageError(
            f"only {accepted} of {judged:,} units were valid: train longer, or lower --temperature"
        )
