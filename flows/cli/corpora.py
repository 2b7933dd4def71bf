"""The commands that manage datasets and inspect their corpora."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import SpecError
from flows.cli.options import AsJson, Dataset, Overrides
from flows.errors import OptionError
from flows.options import Options, read_dataset
from flows.store.runs import Store
from system.clock import duration
from system.settings import Settings

if TYPE_CHECKING:
    from corpora.sources import Source

SHOWN = 10


def datasets(as_json: AsJson = False) -> None:
    """List the datasets that ship with charmill and your own.

    A TOML that cannot be read is named at the end, with exit status 2.

    Example: charmill datasets --json
    """
    from corpora.spec import dataset_files
    from flows.cli.render import table
    from flows.console import out, print_json

    folders = Settings().dataset_folders
    specs, problems = {}, []
    for name in dataset_files(folders):
        try:
            specs[name] = read_dataset(name, folders)
        except SpecError as error:
            problems.append(str(error))
    if as_json:
        print_json({n: spec.model_dump(mode="json") for n, spec in specs.items()})
    else:
        rows = [(name, spec.language, spec.source.kind, spec.title) for name, spec in specs.items()]
        out.print(table(("dataset", "language", "source", "title"), rows))
    if problems:
        raise SpecError("; ".join(problems))


def add(
    location: Annotated[
        str,
        typer.Argument(
            help="URL of a git repository, of its page, or of a text or archive; or a path."
        ),
    ],
    extensions: Annotated[
        list[str], typer.Option("--ext", help="File extension to keep, as py; may be repeated.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset (default: from the location).")
    ] = None,
) -> None:
    """Create a dataset from a repository, a folder or a file.

    Writes its TOML to your datasets folder.

    Example: charmill add github.com/me/thing --ext py
    """
    from corpora.scaffold import add_dataset, plain_extensions
    from evaluation.languages import known_languages, language_of, unknown_extensions
    from flows.console import out

    folder, plain = Settings().dataset_folders[0], plain_extensions(extensions)
    language = language_of(plain)
    path = add_dataset(location, plain, folder, name, language=language)
    out.print(f"Wrote {path}", markup=False)
    if language == "prose" and (unknown := unknown_extensions(plain)):
        out.print(
            f"No scorer knows {', '.join(unknown)}: samples are scored as prose, so the report has "
            f"no validity, and lines may have any length. Languages: {known_languages()}",
            markup=False,
        )
    out.print(f"Next: `charmill run {path.stem}`", markup=False)


def corpus(
    dataset: Dataset,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A change of a filter, as text.max_line=200. May be repeated: each is compared "
            "with the current settings. 'text.max_line=200; max_bytes=50000' is one change.",
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show what each filter drops, or would with a change.

    Judges the files of the last fetch, and builds nothing; the numbers are those that a build would
    have. With --what-if, also shows the difference and the first files with another decision.

    Example: charmill corpus numpy --what-if text.max_line=200 --what-if max_bytes=50000
    """
    from flows.cli.bars import reported
    from flows.cli.render import filter_tables
    from flows.console import out, print_json
    from flows.planning.what_if import what_if as judged

    options = Options(overrides=tuple(overrides or ()))
    work = judged(dataset, options, what_if or (), Settings())
    found = reported("corpus", dataset, work)
    if as_json:
        print_json(found.to_dict())
        return
    for part in filter_tables(found):
        out.print(part, markup=False)


def explain(
    dataset: Dataset,
    path: Annotated[str, typer.Argument(help="Path of a file in the repository or folder.")],
    as_json: AsJson = False,
) -> None:
    """Show why a file was kept or dropped.

    Names the rule, and the file's split, licence and permalink.

    Example: charmill explain linux kernel/fork.c
    """
    from flows.cli.render import explanation
    from flows.console import out, print_json
    from flows.pages.ledger import explain as explained

    _check(dataset)
    rows = explained(Store(Settings().artifacts_root), dataset, path)
    if as_json:
        print_json(rows)
        return
    out.print("\n\n".join(map(explanation, rows)), markup=False)


def diff(
    dataset: Dataset,
    old: Annotated[
        str | None, typer.Argument(help="Key of a corpus (default: the second newest).")
    ] = None,
    new: Annotated[
        str | None, typer.Argument(help="Key of a corpus (default: the newest).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two corpora of a dataset.

    Compares files, decisions, splits and bytes. A unique prefix of a key is enough.

    Example: charmill diff numpy
    """
    from dataclasses import asdict

    from flows.cli.render import difference
    from flows.console import out, print_json
    from flows.pages.comparison import compared_corpora

    _check(dataset)
    before, after = Store(Settings().artifacts_root).runs("corpus", dataset).pair(old, new)
    found = compared_corpora(before, after)
    if as_json:
        print_json(asdict(found))
        return
    out.print(f"{dataset}: {before.key} -> {after.key}", markup=False)
    for line in difference(found, SHOWN):
        out.print(line, markup=False)


def forget(
    dataset: Dataset,
    video_id: Annotated[str | None, typer.Argument(help="Id of the video, as in its URL.")] = None,
    expired: Annotated[
        bool,
        typer.Option("--expired", help="Delete all comments whose retention period has ended."),
    ] = False,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep models, samples and reports.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete a YouTube video's comments permanently.

    Models that may have memorised them, and samples and reports that may show them, are deleted
    too. If the command is interrupted, running it again completes the deletion.

    Example: charmill forget flat-earth dQw4w9WgXcQ
    """
    from flows.cli.render import removal_lines
    from flows.console import out
    from flows.pages.files import remove_pages
    from flows.reporting.artifact_purge import purge_reports
    from flows.store.forget import find_expired, find_item, remove

    source = _forgetting_source(dataset)
    if (video_id is None) is not expired:
        raise OptionError("forget: name a video, or use --expired")
    store = Store(Settings().artifacts_root)
    if video_id is None:
        found = find_expired(store, dataset, source, datetime.now(UTC), keep_models=keep_models)
    else:
        found = find_item(store, dataset, source, video_id, keep_models=keep_models)
    for line in removal_lines(found):
        out.print(line, markup=False)
    if found and not yes and sys.stdin.isatty():
        typer.confirm("Delete this permanently?", abort=True)
    remove(store, dataset, source, found, item=video_id, keep_models=keep_models)
    remove_pages(store, dataset)
    purge_reports(store, dataset)
    out.print("Deleted." if found else "Nothing to delete.")


def quota(as_json: AsJson = False) -> None:
    """Show today's remaining YouTube quota.

    Counts only what this machine has spent with your key.

    Example: charmill quota
    """
    from dataclasses import asdict

    from corpora.sources import read_quota
    from flows.cli.render import table
    from flows.console import out, print_json

    now = datetime.now(UTC)
    key_quota = read_quota(Settings(), now)
    if as_json:
        buckets = {name: asdict(balance) for name, balance in key_quota.balances.items()}
        print_json({"buckets": buckets, "resets": key_quota.resets.isoformat()})
        return
    rows = [
        (name, f"{one.spent:,}", f"{one.left:,}", "refused by the server" if one.refused else "")
        for name, one in key_quota.balances.items()
    ]
    out.print(table(("today's quota", "spent", "left", ""), rows))
    out.print(
        f"Resets at {key_quota.resets:%Y-%m-%d %H:%M} UTC, midnight Pacific time, "
        f"in {duration((key_quota.resets - now).total_seconds())}."
    )


def _forgetting_source(dataset: str) -> "Source":
    """The source of a dataset, if its material has a retention or items that can be forgotten."""
    source = read_dataset(dataset, Settings().dataset_folders).source
    if source.items is None and source.retention is None:
        raise OptionError(
            f"{dataset}: its source is of kind {source.kind!r}, which has nothing to forget"
        )
    return source


def _check(dataset: str) -> None:
    from corpora.spec import dataset_files

    known = dataset_files(Settings().dataset_folders)
    if dataset not in known:
        raise SpecError(f"no dataset {dataset!r}; known: {', '.join(known)}")
