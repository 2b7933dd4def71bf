"""Exchange finished runs with the remote store, if the user has one.

A store that does not answer costs a warning and no work: the next run sends what this one could
not. Material that its source does not allow to be copied stays on this machine, with everything
derived from it.
"""

import logging

from corpora.errors import SourceError
from flows.errors import DamageError, RemoteError, RemoteMisuseError, StageError
from flows.options import Options, Run, StageName
from flows.planning.plan import asked_for, is_before
from flows.store.integrity import faults
from flows.store.remote import Remote
from flows.store.runs import StageRun, StageRuns, Store
from flows.store.stage import Stage
from system.settings import Settings

logger = logging.getLogger(__name__)


def shares(run: Run, settings: Settings) -> bool:
    """Whether the runs of this dataset are exchanged with a remote store."""
    return bool(settings.remote) and run.spec.source.is_shareable


def exchange(run: Run, options: Options, settings: Settings) -> None:
    """Before planning: fetch runs that are finished only there, send those finished only here.

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
        logger.warning("the remote store is not used: %s", error)
        return
    try:
        _exchange(remote, run, options, Store(settings.artifacts_root))
    except (RemoteError, DamageError) as error:
        logger.warning("the exchange with the remote store is incomplete: %s", error)
    except SourceError as error:
        logger.info("the source does not answer, so the remote store is not used: %s", error)


def send_finished(finished: StageRun, run: Run, settings: Settings) -> None:
    """Copy a run that was just made to the remote store; a failure costs a warning.

    Sends it even if the store has such a run, which replaces a damaged copy.
    """
    if not shares(run, settings):
        return
    assert settings.remote
    try:
        Remote.at(settings.remote).send(finished)
    except RemoteError as error:
        logger.warning("%s is not in the remote store: %s", finished.runs, error)


def _exchange(remote: Remote, run: Run, options: Options, store: Store) -> None:
    keys: dict[StageName, str] = {}
    for stage in asked_for(options):
        runs = store.runs(stage.name, run.dataset)
        if is_before(stage.name, options):
            current = runs.latest
        else:
            current = _current(remote, stage, runs, stage.digest(run, stage.choose(keys)))
        if current is None:
            return
        keys[stage.name] = current.key


def _current(remote: Remote, stage: Stage, runs: StageRuns, digest: str) -> StageRun | None:
    """The finished run with this digest, afterwards here and there; None if it is nowhere."""
    newest = runs.newest(digest)
    if newest is not None and not faults(newest):
        if stage.why_outdated(newest) is not None:
            return None
        if not remote.has(newest):
            remote.send(newest)
        return newest
    newest = remote.newest(runs, digest)
    return newest if newest and remote.fetch(newest) else None
