"""The commands about datasets and what is in their corpora."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from corpora.errors import SpecError
from flows.cli.options import AllowStale, AsJson, Dataset, Force, Overrides
from flows.errors import OptionError
from flows.options import Options
from flows.orchestration.task_runners import RunnerName
from flows.settings import Settings
from flows.store.paths import Layout
from flows.words import duration

SHOWN = 10


def datasets(as_json: AsJson = False) -> None:
    """List the datasets that ship and your own."""
    from corpora.spec import dataset_files, load_dataset
    from flows.cli.render import table
    from flows.console import out

    folders = Settings().dataset_folders
    specs = {name: load_dataset(name, folders) for name in dataset_files(folders)}
    if as_json:
        out.print_json(json.dumps({n: spec.model_dump(mode="json") for n, spec in specs.items()}))
        return
    rows = [(name, spec.language, spec.source.kind, spec.title) for name, spec in specs.items()]
    out.print(table(("dataset", "language", "source", "title"), rows))


def add(
    location: Annotated[str, typer.Argument(help="URL of a git repository, or a folder.")],
    extensions: Annotated[
        list[str], typer.Option("--ext", help="Extension to keep, as .py; may be repeated.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
) -> None:
    """Write the TOML of a new dataset into your datasets folder.

    Example: charmill add https://github.com/me/thing --ext .py
    """
    from corpora.scaffold import add_dataset
    from evaluation.languages import language_of
    from flows.console import out

    folder = Settings().dataset_folders[0]
    path = add_dataset(location, extensions, folder, name, language=language_of(extensions))
    out.print(f"Wrote {path}", markup=False)
    out.print(f"Next: `charmill run {path.stem}`", markup=False)


def build(
    datasets: Annotated[list[str], typer.Argument(help="Names of datasets.")],
    runner: Annotated[
        RunnerName, typer.Option(help="dask and ray are extras: `pip install 'charmill[dask]'`.")
    ] = "threads",
    workers: Annotated[
        int, typer.Option(min=0, help="So many datasets at once; 0: one for each processor.")
    ] = 0,
    cluster: Annotated[
        str, typer.Option(metavar="ADDRESS", help="A Dask or Ray cluster that runs already.")
    ] = "",
    overrides: Overrides = None,
    force: Force = False,
    allow_stale: AllowStale = False,
) -> None:
    """Fetch several datasets and build their corpora, at once; one that fails blocks no other.

    Example: charmill build torch hadoop scalaz --workers 3
    """
    from flows.cli.runs import build_many

    options = Options(overrides=tuple(overrides or ()), force=force, allow_stale=allow_stale)
    build_many(datasets, options, Settings(), runner=runner, workers=workers, cluster=cluster)


def explain(
    dataset: Dataset,
    path: Annotated[str, typer.Argument(help="Path in the repository or folder.")],
    as_json: AsJson = False,
) -> None:
    """Say what became of a file: kept or dropped, by which rule, split, licence, permalink.

    Example: charmill explain linux kernel/fork.c
    """
    from flows.cli.ledger_queries import explain as explained
    from flows.cli.render import explanation
    from flows.console import out

    _check(dataset)
    rows = explained(Layout(Settings().artifacts_root), dataset, path)
    if as_json:
        out.print_json(json.dumps(rows))
        return
    out.print("\n\n".join(map(explanation, rows)), markup=False)


def diff(
    dataset: Dataset,
    old: Annotated[
        str | None, typer.Argument(help="Key of a corpus; left out: the last but one.")
    ] = None,
    new: Annotated[str | None, typer.Argument(help="Key of a corpus; left out: the last.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is another between two corpora of a dataset: files, decisions, splits, bytes."""
    from dataclasses import asdict

    from corpora.corpus.ledger import compare
    from flows.cli.ledger_queries import two_corpora
    from flows.cli.render import difference
    from flows.console import out

    _check(dataset)
    before, after = two_corpora(Layout(Settings().artifacts_root), dataset, old, new)
    found = compare(before, after)
    if as_json:
        out.print_json(json.dumps(asdict(found)))
        return
    out.print(f"{dataset}: {before.name} -> {after.name}", markup=False)
    for line in difference(found, SHOWN):
        out.print(line, markup=False)


def forget(
    dataset: Dataset,
    video_id: Annotated[
        str | None, typer.Argument(help="As it stands in the video's address.")
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="All that was kept for as long as is allowed.")
    ] = False,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep models, samples and reports.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
) -> None:
    """Remove a YouTube video's comments for good, and all that was made from them.

    Models may have learned comments by heart, samples and reports may show them: they go too.
    Killed in between, the same command finishes. Example: charmill forget flat-earth dQw4w9WgXcQ
    """
    from flows.cli.render import doomed_lines
    from flows.console import out
    from flows.reporting.artifact_purge import remove_shown_reports
    from flows.store.forget import find_expired, find_video, remove

    _check_youtube(dataset)
    if (video_id is None) is not expired:
        raise OptionError("name either a video or --expired")
    layout = Layout(Settings().artifacts_root)
    if video_id is None:
        found = find_expired(layout, dataset, datetime.now(UTC), keep_models=keep_models)
    else:
        found = find_video(layout, dataset, video_id, keep_models=keep_models)
    for line in doomed_lines(found):
        out.print(line, markup=False)
    if found and not yes and sys.stdin.isatty():
        typer.confirm("Remove this for good?", abort=True)
    remove(layout, dataset, found, video_id=video_id, keep_models=keep_models)
    remove_shown_reports(layout, dataset)
    out.print("Removed." if found else "Nothing to remove.")


def quota(as_json: AsJson = False) -> None:
    """Show what is left of today's YouTube quota, as this machine has counted it for your key."""
    from dataclasses import asdict

    from corpora.sources.youtube.credentials import read_key
    from corpora.sources.youtube.quota import GRANTED, UNITS, Quota, state_folder
    from flows.cli.render import table
    from flows.console import out

    now = datetime.now(UTC)
    ledger = Quota.of_key(read_key(os.environ), state_folder(os.environ), GRANTED, lambda: now)
    balances = {UNITS[bucket]: ledger.balance(bucket) for bucket in GRANTED}
    if as_json:
        buckets = {name: asdict(balance) for name, balance in balances.items()}
        out.print_json(json.dumps({"buckets": buckets, "resets": ledger.resets.isoformat()}))
        return
    rows = [
        (name, f"{one.spent:,}", f"{one.left:,}", "refused by the server" if one.refused else "")
        for name, one in balances.items()
    ]
    out.print(table(("quota of today", "spent", "left", ""), rows))
    out.print(
        f"New at {ledger.resets:%Y-%m-%d %H:%M} UTC, midnight Pacific time, "
        f"in {duration((ledger.resets - now).total_seconds())}."
    )


def _check_youtube(dataset: str) -> None:
    from corpora.spec import load_dataset

    kind = load_dataset(dataset, Settings().dataset_folders).source.kind
    if kind != "youtube":
        raise OptionError(f"{dataset}: its source is of kind {kind!r}; forgets only 'youtube'")


def _check(dataset: str) -> None:
    from corpora.spec import dataset_files

    known = dataset_files(Settings().dataset_folders)
    if dataset not in known:
        raise SpecError(f"no dataset {dataset!r}; known: {', '.join(known)}")
