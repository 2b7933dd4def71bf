"""The commands about reports: the newest of a dataset, the index, a comparison, and scores."""

from pathlib import Path
from typing import Annotated

import typer

from evaluation.languages import LANGUAGES, known_languages
from flows.cli.options import AsJson, Dataset, dataset_names
from flows.errors import OptionError
from flows.options import Options, prepare
from flows.store.integrity import verified
from flows.store.runs import Store
from system.settings import Settings


def report(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="Name of a dataset; see `charmill datasets`.", autocompletion=dataset_names
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Write all pages, and show the index instead.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show the newest report of a dataset, or the index of all.

    Prints the verdict and the path of the page. With --all, also writes a page for each dataset,
    with its trend and its newest two reports and corpora compared; the index links to them.

    Example: charmill report --all --open
    """
    from flows.console import out

    if (dataset is None) != every:
        raise OptionError("report: name a dataset, or use --all")
    settings = Settings()
    store = Store(settings.artifacts_root)
    page = _index(store) if dataset is None else _last(store, dataset, settings)
    out.print(str(page), markup=False)
    if open_it:
        typer.launch(page.as_uri())


def _last(store: Store, dataset: str, settings: Settings) -> Path:
    """Print the verdict of a dataset's last report; returns its path."""
    from flows.console import out
    from flows.store.status import verdict

    prepare(dataset, Options(), settings.dataset_folders)
    folder = verified(store.runs("evaluate", dataset).last())
    out.print(verdict(folder), markup=False)
    return folder / "report.html"


def _index(store: Store) -> Path:
    """Write all pages and print the state of every dataset."""
    from evaluation.report.view import bits
    from flows.cli.render import table
    from flows.console import out
    from flows.pages.files import write_all
    from flows.reporting.index import index_rows

    rows = index_rows(store)
    cells = ((r.dataset, r.state, bits(r.bits), bits(r.gain), "; ".join(r.notes)) for r in rows)
    out.print(table(("dataset", "state", "bits/character", "gain over n-gram", "notes"), cells))
    return write_all(store)


def compare(
    dataset: Dataset,
    old: Annotated[
        str | None, typer.Argument(help="Key of an evaluate run (default: the second newest).")
    ] = None,
    new: Annotated[
        str | None, typer.Argument(help="Key of an evaluate run (default: the newest).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two reports of a dataset.

    Shows what changed, and whether it is statistically significant: bits are compared in pairs,
    over the held-out files that both runs scored. A unique prefix of a key is enough.

    Example: charmill compare torch
    """
    from dataclasses import asdict

    from evaluation.report.compare import summary
    from evaluation.report.view import amount
    from flows.cli.render import table
    from flows.console import out, print_json
    from flows.pages.comparison import compared_reports

    settings = Settings()
    reports = Store(settings.artifacts_root).runs("evaluate", dataset)
    if not reports.keys():  # most likely a mistyped name
        prepare(dataset, Options(), settings.dataset_folders)
    before, after = reports.pair(old, new)
    found = compared_reports(before, after)
    if as_json:
        print_json(asdict(found))
        return
    out.print(f"{dataset}: {before.key} -> {after.key}", markup=False)
    out.print(summary(found), markup=False)
    rows = ((c.label, amount(c.old, c.unit), amount(c.new, c.unit), c.words) for c in found.changes)
    out.print(table(("figure", "before", "now", "change"), rows))


def score(
    path: Annotated[Path, typer.Argument(help="A text file, or a folder of them.")],
    language: Annotated[
        str,
        typer.Option(help=f"One of {known_languages()}.", autocompletion=lambda: list(LANGUAGES)),
    ],
    as_json: AsJson = False,
    per_file: Annotated[
        bool, typer.Option("--per-file", help="With --json: include the result of every file.")
    ] = False,
) -> None:
    """Score real text: does it parse and balance?

    Example: charmill score program.lua --language lua --json
    """
    from evaluation.score_files import find_files, score_files, sum_up
    from flows.cli.bars import tracked
    from flows.cli.render import score_table
    from flows.console import out, print_json

    paths = find_files(path, language)
    result = sum_up(list(tracked(score_files(paths, language), len(paths))), language)
    if as_json:
        print_json(result.to_dict(per_file=per_file))
    else:
        out.print(score_table(result.metrics))


def selftest(
    fast: Annotated[
        bool, typer.Option("--fast", help="Skip the checks that train a model; takes seconds.")
    ] = False,
) -> None:
    """Check charmill on texts with known results.

    Measures synthetic texts whose true values are known. Exit status 1 if any result is out of
    tolerance. Takes about a minute and uses no dataset.

    Example: charmill selftest --fast
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
    out.print(table(("check", "true value", "measured", "tolerance", ""), rows))
    if not all(check.holds for check in found):
        raise typer.Exit(1)


def _word(holds: bool) -> str:
    return "within tolerance" if holds else "OUT"
