"""Finding what a notebook asks for: the store, a dataset, the runs that a report was made from."""

from pathlib import Path

from corpora.errors import SpecError
from corpora.spec import dataset_files
from flows.errors import OptionError, StageError
from flows.options import StageName
from flows.store.runs import StageRun, Store
from system.settings import Settings


def store_at(artifacts: Path | str | None) -> Store:
    """The artifact store in a folder, or the usual one, which need not exist yet.

    Raises:
        OptionError: if there is no such folder.
    """
    if artifacts is None:
        return Store(Settings().artifacts_root)
    root = Path(artifacts).expanduser().absolute()
    if not root.is_dir():
        raise OptionError(f"{root}: no such folder of artifacts")
    return Store(root)


def dataset_folders(datasets: Path | str | None) -> tuple[Path, ...]:
    """The folders of dataset TOMLs, besides those that ship."""
    return Settings().dataset_folders if datasets is None else (Path(datasets).expanduser(),)


def check_name(name: str, store: Store, datasets: Path | str | None) -> None:
    """A dataset whose TOML was removed can still be opened.

    Raises:
        SpecError: if no dataset has this name; lists those that exist.
    """
    known = sorted({*dataset_files(dataset_folders(datasets)), *store.datasets()})
    if name not in known:
        raise SpecError(f"no dataset {name!r}; known: {', '.join(known)}")


def input_of(report: StageRun, stage: StageName) -> StageRun:
    """The run of an earlier stage that a report was made from.

    Raises:
        StageError: if it was removed since.
    """
    runs = report.runs.store.runs(stage, report.runs.dataset)
    run = runs.run(report.manifest.inputs.get(stage, ""))
    if run.key and run.is_finished:
        return run
    raise StageError(
        f"{runs}, {run.key or 'unknown'}: the report {report.key} was made from it, but it was "
        "removed since"
    )
