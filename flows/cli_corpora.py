"""The commands about datasets and what is in their corpora."""

import json
from typing import Annotated

import typer

from corpora.errors import SpecError
from flows.layout import Layout
from flows.settings import Settings

Dataset = Annotated[str, typer.Argument(help="Name of a dataset; see `charmill datasets`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
SHOWN = 10


def datasets(as_json: AsJson = False) -> None:
    """List the datasets that ship and your own."""
    from corpora.spec import dataset_files, load_dataset
    from flows.terminal import out, table

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
    from corpora.adding import add_dataset
    from flows.terminal import out

    path = add_dataset(location, extensions, Settings().dataset_folders[0], name)
    out.print(f"Wrote {path}", markup=False)
    out.print(f"Next: `charmill run {path.stem}`", markup=False)


def explain(
    dataset: Dataset,
    path: Annotated[str, typer.Argument(help="Path in the repository or folder.")],
    as_json: AsJson = False,
) -> None:
    """Say what became of a file: kept or dropped, by which rule, split, licence, permalink.

    Example: charmill explain linux kernel/fork.c
    """
    from flows.inspect import explain as explained
    from flows.terminal import explanation, out

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

    from corpora.ledger import compare
    from flows.inspect import two_corpora
    from flows.terminal import difference, out

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
    video_id: Annotated[str, typer.Argument(help="As it stands in the video's address.")],
) -> None:
    """Remove a YouTube video's comments for good, and every corpus that holds them.

    Models and samples made from those corpora stay: delete their folders too if they must go.
    """
    from flows.inspect import forget as forgotten
    from flows.terminal import out

    _check(dataset)
    removed, deleted = forgotten(Layout(Settings().artifacts_root), dataset, video_id)
    out.print(f"Removed {removed:,} comments; deleted {len(deleted)} corpora made with them.")
    out.print(f"Next: `charmill run {dataset}` builds the corpus anew", markup=False)


def _check(dataset: str) -> None:
    from corpora.spec import dataset_files

    known = dataset_files(Settings().dataset_folders)
    if dataset not in known:
        raise SpecError(f"no dataset {dataset!r}; known: {', '.join(known)}")
