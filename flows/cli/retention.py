"""What `charmill gc` does: show, ask, remove; and the line about it in `charmill status`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from corpora.errors import SpecError
from corpora.spec import dataset_files
from flows.cli.render import table
from flows.console import err, out
from flows.reporting.history import count_old_runs, delete_old_runs, is_elsewhere
from flows.retention.choose import Choice, Verdict, choose, size
from flows.retention.collect import Outcome, collect
from flows.retention.limits import Limits
from flows.store.runs import Store
from system.errors import CharmillError
from system.settings import Settings


def clean(
    settings: Settings,
    limits: Limits,
    datasets: Sequence[str],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show what can go, and remove it if the user agrees.

    Raises:
        SpecError: if there is no such dataset.
        OptionError: if a limit is malformed.
    """
    from flows.pages.files import renew_pages

    store, now = Store(settings.artifacts_root), datetime.now(UTC)
    tomls = dataset_files(settings.dataset_folders)
    _check(datasets, store, tomls)
    before = now - limits.history_age
    choice = choose(store, limits, now, tomls=tomls, datasets=datasets)
    old = 0 if datasets else count_old_runs(store, before)
    if not as_json:
        _show(choice, old, settings)
    found = bool(choice.goes or choice.leftovers or old)
    outcome = None
    if found and not dry_run and _agreed(yes=yes, as_json=as_json):
        outcome = collect(store, limits, now, tomls=tomls, datasets=datasets, shown=choice)
        renew_pages(store, {one.run.runs.dataset for one in outcome.removed})
        if not as_json:
            _show_outcome(outcome)
        old = 0 if datasets else delete_old_runs(store, before)
        if old and not as_json:
            out.print(f"Removed: {_history(old)}.")
    if as_json:
        out.print_json(json.dumps(_plain(choice, outcome, old)))
    elif found and not outcome:
        out.print("Nothing was removed." if dry_run else "Nothing was removed; add --yes.")


def removable(store: Store, tomls: Mapping[str, Path], datasets: Sequence[str]) -> str:
    """What gc would remove, in one line; empty if nothing, or if it cannot be decided."""
    try:
        choice = choose(store, Limits(), datetime.now(UTC), tomls=tomls, datasets=datasets)
    except (CharmillError, OSError):
        return ""
    return f"{_summary(choice, 0)} could go: charmill gc" if choice.goes else ""


def _check(datasets: Sequence[str], store: Store, tomls: Mapping[str, Path]) -> None:
    """A dataset whose TOML was removed can be cleaned too."""
    known = sorted({*tomls, *store.datasets()})
    for dataset in datasets:
        if dataset not in known:
            raise SpecError(f"no dataset {dataset!r}; known: {', '.join(known)}")


def _agreed(*, yes: bool, as_json: bool) -> bool:
    if yes or as_json or not sys.stdin.isatty():
        return yes
    typer.confirm("Delete this permanently?", abort=True)
    return True


def _show(choice: Choice, old: int, settings: Settings) -> None:
    if choice.kept:
        out.print(table(("kept", "stage", "key", "why"), map(_row, choice.kept)))
    if choice.goes:
        rows = ((*_row(one), amount(one.bytes)) for one in choice.goes)
        out.print(table(("can go", "stage", "key", "why", "size"), rows))
    for folder in choice.leftovers:
        out.print(f"interrupted or damaged: {folder}, {amount(size(folder))}", markup=False)
    out.print(f"{_summary(choice, old)} can go.", markup=False)
    if settings.remote:
        err.print(f"Nothing is removed from {settings.remote}.", markup=False)
    if is_elsewhere():
        err.print("Prefect's database is not in this store: its server must clean its history.")


def _row(one: Verdict) -> tuple[str, str, str, str]:
    return one.run.runs.dataset, one.run.runs.stage, one.run.key, one.why


def _summary(choice: Choice, old: int) -> str:
    parts = [*_parts(len(choice.goes), len(choice.leftovers), choice.bytes)]
    return ", ".join([*parts, _history(old)] if old else parts)


def _show_outcome(outcome: Outcome) -> None:
    for one in outcome.in_use:
        out.print(f"not removed: {one.run.runs}, {one.run.key}", markup=False)
    parts = _parts(len(outcome.removed), len(outcome.leftovers), outcome.bytes)
    out.print(f"Removed: {', '.join(parts)}.", markup=False)


def _parts(runs: int, folders: int, total: int) -> Iterator[str]:
    yield _count(runs, "old run")
    if folders:
        yield _count(folders, "leftover folder")
    yield amount(total)


def _history(flow_runs: int) -> str:
    return _count(flow_runs, "entry of the history", "entries of the history")


def _count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def amount(size_bytes: int) -> str:
    """Show a size: "512 B", "3.1 MB"."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _plain(choice: Choice, outcome: Outcome | None, old: int) -> dict[str, Any]:
    """The output of --json; `removed` is null if nothing was."""
    return {
        "goes": [one.to_dict() for one in choice.goes],
        "kept": [one.to_dict() for one in choice.kept],
        "leftovers": [str(folder) for folder in choice.leftovers],
        "bytes": choice.bytes,
        "flow_runs": old,
        "removed": outcome and [one.to_dict() for one in outcome.removed],
        "in_use": [one.to_dict() for one in outcome.in_use] if outcome else [],
    }
