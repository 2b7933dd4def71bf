"""The commands about reports: the newest of a dataset, all of them, two beside each other."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Dataset
from flows.errors import OptionError
from flows.options import Options, prepare
from flows.settings import Settings
from flows.store.runs import Store


def report(
    dataset: Annotated[
        str | None, typer.Argument(help="Name of a dataset; see `charmill datasets`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The index of all datasets.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Say the verdict of the newest report, and where it stands; --all: write the index of all.

    Example: charmill report --all --open
    """
    from flows.console import out

    if (dataset is None) != every:
        raise OptionError("report: name one dataset, or ask for --all")
    settings = Settings()
    store = Store(settings.artifacts_root)
    page = _index(store) if dataset is None else _last(store, dataset, settings)
    out.print(str(page), markup=False)
    if open_it:
        typer.launch(page.as_uri())


def _last(store: Store, dataset: str, settings: Settings) -> Path:
    """Print the verdict of the last report of a dataset; returns its path."""
    from flows.console import out
    from flows.store.status import verdict

    prepare(dataset, Options(), settings.dataset_folders)
    folder = store.runs("evaluate", dataset).last().folder
    out.print(verdict(folder), markup=False)
    return folder / "report.html"


def _index(store: Store) -> Path:
    """Write the index and print the state of all datasets."""
    from evaluation.report.view import bits
    from flows.cli.render import table
    from flows.console import out
    from flows.reporting.index import index_rows, write_index

    rows = index_rows(store)
    cells = ((r.dataset, r.state, bits(r.bits), bits(r.gain), "; ".join(r.notes)) for r in rows)
    out.print(table(("dataset", "state", "bits/character", "gain over n-gram", "notes"), cells))
    return write_index(store)


def compare(
    dataset: Dataset,
    old: Annotated[
        str | None, typer.Argument(help="Key of an evaluate run; left out: the one before.")
    ] = None,
    new: Annotated[
        str | None, typer.Argument(help="Key of an evaluate run; left out: the last.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed between two reports of a dataset, and whether it is more than chance.

    Bits are paired over the held-out files that both runs scored. The beginning of a key will do.
    Example: charmill compare torch
    """
    from dataclasses import asdict

    from evaluation.evidence import load_evidence
    from evaluation.report.compare import compare as compared
    from evaluation.report.compare import summary
    from evaluation.report.render import load_report
    from evaluation.report.view import amount
    from flows.cli.render import table
    from flows.console import out

    settings = Settings()
    store = Store(settings.artifacts_root)
    reports = store.runs("evaluate", dataset)
    if not reports.keys():  # a mistyped name, most likely
        prepare(dataset, Options(), settings.dataset_folders)
    before, after = reports.pair(old, new)
    found = compared(
        load_evidence(before.folder),
        load_evidence(after.folder),
        old_key=before.key,
        new_key=after.key,
        headline=load_report(after.folder / "report.json").headline,
    )
    if as_json:
        out.print_json(json.dumps(asdict(found)))
        return
    out.print(f"{dataset}: {before.key} -> {after.key}", markup=False)
    out.print(summary(found), markup=False)
    rows = ((c.label, amount(c.old, c.unit), amount(c.new, c.unit), c.words) for c in found.changes)
    out.print(table(("figure", "before", "now", "change"), rows))


def selftest(
    fast: Annotated[
        bool, typer.Option("--fast", help="Only what needs no training: seconds.")
    ] = False,
) -> None:
    """Measure texts whose right answers are known, and say whether they were found.

    Exit status 1 if any is out of its tolerance. Takes about a minute and touches no dataset.
    """
    import tempfile

    from evaluation.selftest.checks import checks
    from flows.cli.render import table
    from flows.console import out

    found = list(checks())
    if not fast:
        from flows.cli.selftest import pipeline_checks

        with tempfile.TemporaryDirectory() as folder:
            found += pipeline_checks(Path(folder))
    rows = (
        (c.name, f"{c.planted:.4g}", f"{c.found:.4g}", f"{c.tolerance:.2g}", _word(c.holds))
        for c in found
    )
    out.print(table(("what", "planted", "found", "tolerance", ""), rows))
    if not all(check.holds for check in found):
        raise typer.Exit(1)


def _word(holds: bool) -> str:
    return "within tolerance" if holds else "OUT"
