"""Prefect's UI on this machine, with a deployment per dataset and one per stage.

Starts a server or uses a running one, registers the deployments, and executes the runs that the UI
and its schedules start, until Ctrl-C. The user's datasets folder is checked every second: a TOML
that is new or changed shows up without a restart.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from flows.console import err, out
from flows.server.host_names import is_loopback
from flows.server.login import login_url
from flows.server.prefect_settings import use_other_server, use_own_server
from flows.server.process import (
    LOOPBACK,
    api_of,
    check_address,
    check_server,
    own_api,
    running_server,
)
from flows.stages.devices import device_name
from flows.store.runs import Store
from system.settings import Settings

if TYPE_CHECKING:
    from flows.orchestration.waiting.gate import GatedRunner

logger = logging.getLogger(__name__)
POLL_SECONDS = 1.0
"""Interval of polling for datasets, due runs and cancellations."""
OTHER_SERVER = (
    "--server-url: this server is not charmill's. Who may use it can run code here, as you; its "
    "login, its pages and its host names are for it to check, charmill checks none of them"
)
OPEN_ADDRESS = (
    "--host {host}: other machines can connect, and the login and everything else is sent "
    "UNENCRYPTED. Prefer 127.0.0.1 with `ssh -L`, or a proxy that adds TLS"
)


def serve_all(
    settings: Settings, port: int = 4200, *, host: str = LOOPBACK, server_url: str | None = None
) -> None:
    """Serve every pipeline until Ctrl-C or SIGTERM.

    Args:
        port, host: where our own server listens.
        server_url: a running server to use instead of our own.

    Raises:
        StageError: if the address is in use, unsafe or unresponsive; says what to do.
        OptionError: if the device that `CHARMILL_DEVICE` names does not exist.
    """
    with _server(settings, host, port, server_url) as ui:
        out.print(f"Prefect UI: {ui}   (Ctrl-C stops it)", markup=False, soft_wrap=True)
        try:
            asyncio.run(_run(settings, has_own_server=server_url is None))
        except asyncio.CancelledError:
            err.print("[dim]stopped; schedules are kept, and pause until the next start[/]")


@contextmanager
def _server(settings: Settings, host: str, port: int, server_url: str | None) -> Iterator[str]:
    """Yield the address for the browser of a responsive server, ours or another."""
    if server_url is not None:
        api_url = api_of(server_url)
        check_server(api_url)
        use_other_server(settings, api_url)
        err.print(OTHER_SERVER, markup=False)
        yield api_url.removesuffix("/api")
        return
    check_address(host, port, settings.server_hosts)
    api_url = own_api(host, port)
    login = use_own_server(settings, api_url)
    if not is_loopback(host):
        err.print(OPEN_ADDRESS.format(host=host), markup=False)
    err.print("[dim]starting Prefect's server ...[/]")
    with running_server(Store(settings.artifacts_root).prefect_home, host, port):
        # Only to a terminal: a service's output ends up in a log that others may read.
        ui = api_url.removesuffix("/api")
        hint = f"{ui} (for a link with the login: `charmill login --port {port}`)"
        yield login_url(ui, login) if out.is_terminal else hint


async def _run(settings: Settings, *, has_own_server: bool) -> None:
    """Register the deployments, and execute runs."""
    from flows.orchestration.concurrency import ensure_limit
    from flows.orchestration.endings.silent import ensure_automations
    from flows.orchestration.waiting.gate import GatedRunner
    from flows.orchestration.waiting.missed import watch_absences

    # Here already, so that the UI shows the limit before any training.
    limit = await asyncio.to_thread(lambda: ensure_limit(device_name(settings.device)))
    # Pausing at shutdown would switch off schedules that the user switched on.
    runner = GatedRunner(
        limit,
        is_only_runner=has_own_server,
        name="charmill",
        query_seconds=POLL_SECONDS,
        pause_on_shutdown=False,
    )
    known = _fingerprint(settings)
    await asyncio.gather(ensure_automations(), _register_all(runner, settings))
    main = asyncio.current_task()
    assert main
    watching = [asyncio.create_task(_watch_datasets(runner, settings, known, stop=main.cancel))]
    if has_own_server:  # another one makes runs while we are stopped
        home = Store(settings.artifacts_root).prefect_home
        watching.append(asyncio.create_task(watch_absences(home)))
    for task in watching:
        task.add_done_callback(_log_failure)
    try:
        await runner.start()
    finally:
        for task in watching:
            task.cancel()


def _log_failure(task: asyncio.Task[None]) -> None:
    """A watcher that fails is a bug of ours, but no reason to stop all schedules."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("%s ended", task.get_coro(), exc_info=error)


async def _register_all(runner: "GatedRunner", settings: Settings) -> None:
    from flows.orchestration.deployments import deployments, register
    from flows.orchestration.descriptions import known_artifacts

    datasets = Store(settings.artifacts_root).datasets()
    artifacts = await asyncio.to_thread(known_artifacts, datasets)
    for deployment in deployments(settings, artifacts):
        await register(deployment)
        await runner.aadd(deployment)


async def _watch_datasets(
    runner: "GatedRunner", settings: Settings, known: dict[str, int], stop: Callable[[], object]
) -> None:
    """Register the deployments again whenever a dataset's TOML is added, changed or removed.

    Takes over SIGTERM from the runner, whose own handler exits without ending its runs.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    while True:
        await asyncio.sleep(POLL_SECONDS)
        if (now := _fingerprint(settings)) != known:
            logger.info("the datasets changed; registering the deployments again")
            try:
                await _register_all(runner, settings)
                known = now
            except httpx.HTTPError as error:
                logger.warning("not registered, retrying: %s", error)


def _fingerprint(settings: Settings) -> dict[str, int]:
    """Modification time of each of the user's TOMLs."""
    paths = [path for folder in settings.dataset_folders for path in folder.glob("*.toml")]
    return {str(path): path.stat().st_mtime_ns for path in paths}
