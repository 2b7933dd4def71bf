"""Finished stages go to the remote store and come from it, if the user has one.

A store that does not answer costs a warning and no work: what is here stands, and is sent by the
next run. Material that its source does not allow to be copied stays on this machine, with all that
is derived from it.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from corpora.errors import SourceError
from flows.errors import RemoteError, RemoteMisuseError, StageError
from flows.options import Options, Run, StageName
from flows.planning.plan import asked_for, is_before
from flows.settings import Settings
from flows.store.manifest import Manifest
from flows.store.paths import Layout
from flows.store.remote import Remote
from flows.store.stage import Stage, newest_key, sync, why_outdated

logger = logging.getLogger(__name__)


def shares(run: Run, settings: Settings) -> bool:
    """Whether what is made of this dataset goes to a remote store."""
    return bool(settings.remote) and run.spec.source.is_shareable


def exchange(run: Run, options: Options, settings: Settings) -> None:
    """Before the plan: fetch what is finished there and not here, send what is here and not there.

    Goes through the stages in order, up to the first that is finished nowhere.

    Raises:
        StageError: if the store is not set up: no such bucket, no credentials.
    """
    if not shares(run, settings) or options.force:
        return
    assert settings.remote
    try:
        remote = Remote.at(settings.remote)
        remote.check()
    except RemoteMisuseError as error:
        raise StageError(str(error)) from None
    except RemoteError as error:
        logger.warning("the remote store is left out: %s", error)
        return
    try:
        _exchange(remote, run, options, Layout(settings.artifacts_root))
    except RemoteError as error:
        logger.warning("not all was fetched from the remote store or sent to it: %s", error)
    except SourceError as error:
        logger.info("no key is known, so the remote store is not asked: %s", error)


def send_finished(run: Run, stage: StageName, key: str, settings: Settings) -> None:
    """Copy a run that was just made to the remote store; where that fails, what is here stands.

    Does so even if the store has such a run: a damaged one heals.
    """
    if not shares(run, settings):
        return
    assert settings.remote
    folder = Layout(settings.artifacts_root).published(stage, run.dataset, key)
    try:
        Remote.at(settings.remote).send(folder, stage, run.dataset, key)
    except RemoteError as error:
        logger.warning("%s of %s is not in the remote store: %s", stage, run.dataset, error)


def _exchange(remote: Remote, run: Run, options: Options, layout: Layout) -> None:
    keys: dict[StageName, str] = {}
    for stage in asked_for(options):
        if is_before(stage.name, options):
            key = layout.latest_key(stage.name, run.dataset)
        else:
            key = _current_key(remote, stage, run, stage.digest(run, stage.choose(keys)), layout)
        if key is None:
            return
        keys[stage.name] = key


def _current_key(remote: Remote, stage: Stage, run: Run, digest: str, layout: Layout) -> str | None:
    """The key of a finished run with this digest, here and there from now on; None if nowhere."""
    key = newest_key(layout, stage.name, run.dataset, digest)
    if key is not None:
        folder = layout.published(stage.name, run.dataset, key)
        if why_outdated(stage, layout, run.dataset, key) is not None:
            return None
        if not remote.has(stage.name, run.dataset, key):
            remote.send(folder, stage.name, run.dataset, key)
        return key
    key = remote.newest(stage.name, run.dataset, digest)
    return key if key and _fetch(remote, layout, stage.name, run.dataset, key) else None


def _fetch(remote: Remote, layout: Layout, stage: StageName, dataset: str, key: str) -> bool:
    """Publish here what is finished there, as a stage of our own; False if it is being made here.

    Raises:
        RemoteError: if the store does not answer, or what it holds is damaged.
    """
    path = layout.lock(stage, dataset, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = layout.shelf(stage, dataset) / f".remote-{key}"
    try:
        with FileLock(path, timeout=0), _empty(folder):
            remote.fetch(stage, dataset, key, folder)
            _check(folder, stage, dataset, key)
            sync(folder)
            if not layout.is_published(stage, dataset, key):
                folder.replace(layout.published(stage, dataset, key))
            shutil.rmtree(layout.work(stage, dataset, key), ignore_errors=True)
    except Timeout:
        return False
    logger.info("%s of %s: %s fetched from %s", stage, dataset, key, remote.url)
    return True


@contextmanager
def _empty(folder: Path) -> Iterator[None]:
    """A folder for the block: empty at first, gone at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(folder: Path, stage: StageName, dataset: str, key: str) -> None:
    """Refuse a run that is not the one it is called."""
    try:
        found = Manifest.load(folder)
    except (OSError, ValueError) as error:
        raise RemoteError(f"CHARMILL_REMOTE: {stage} of {dataset}, {key}: {error}") from None
    if (found.stage, found.dataset, found.key) != (stage, dataset, key):
        raise RemoteError(
            f"CHARMILL_REMOTE: {stage} of {dataset}, {key}: "
            f"holds {found.stage} of {found.dataset}, {found.key}"
        )
