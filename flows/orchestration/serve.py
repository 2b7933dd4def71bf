"""Prefect's UI on this machine, with a deployment per dataset and one per stage.

Starts a server, or uses one that runs; registers the deployments; runs what the UI and its
schedules ask for, until Ctrl-C. The folder of the user's datasets is looked at every few seconds:
a TOML that is new or changed shows up without a restart.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from flows.console import err, out
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
    from prefect.runner import Runner

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""So often are datasets, due runs and wishes to cancel looked for."""


def serve_all(
    settings: Settings, port: int = 4200, *, host: str = LOOPBACK, server_url: str | None = None
) -> None:
    """Serve every pipeline until Ctrl-C or SIGTERM.

    Args:
        port, host: where our own server listens.
        server_url: a server that runs already, to be used instead of our own.

    Raises:
        StageError: if the address is taken, unsafe or dead; says what can be done.
        OptionError: if there is no such device as `CHARMILL_DEVICE` names.
    """
    with _server(settings, host, port, server_url) as api_url:
        out.print(f"Prefect UI: {api_url.removesuffix('/api')}   (Ctrl-C stops it)", markup=False)
        try:
            asyncio.run(_run(settings))
        except asyncio.CancelledError:
            err.print("[dim]stopped; schedules stay as they are, and rest until the next start[/]")


@contextmanager
def _server(settings: Settings, host: str, port: int, server_url: str | None) -> Iterator[str]:
    """The address of the API of a server that answers, ours or another."""
    if server_url is not None:
        api_url = api_of(server_url)
        check_server(api_url)
        use_other_server(settings, api_url)
        yield api_url
        return
    check_address(host, port, settings.server_hosts)
    api_url = own_api(host, port)
    use_own_server(settings, api_url)
    err.print("[dim]starting Prefect's server ...[/]")
    with running_server(Store(settings.artifacts_root).prefect_home, host, port):
        yield api_url


async def _run(settings: Settings) -> None:
    """Register what there is, and run what is asked for."""
    from prefect.runner import Runner

    from flows.orchestration.automations import ensure_automations
    from flows.server.prefect_settings import HEARTBEAT_SECONDS

    # Pausing on the way out would switch off the schedules that the user switched on.
    runner = Runner(
        name="charmill",
        query_seconds=LOOK_SECONDS,
        pause_on_shutdown=False,
        heartbeat_seconds=HEARTBEAT_SECONDS,
    )
    known = _fingerprint(settings)
    await asyncio.gather(
        asyncio.to_thread(_ensure_own_limit, settings),
        ensure_automations(),
        _register_all(runner, settings),
    )
    main = asyncio.current_task()
    assert main
    following = asyncio.create_task(_follow(runner, settings, known, stop=main.cancel))
    try:
        await runner.start()
    finally:
        following.cancel()


def _ensure_own_limit(settings: Settings) -> None:
    """Show the limit of this machine's device in the UI before anything trains on it."""
    from flows.orchestration.concurrency import ensure_limit

    ensure_limit(device_name(settings.device))


async def _register_all(runner: "Runner", settings: Settings) -> None:
    from flows.orchestration.deployments import deployments, register

    for deployment in deployments(settings):
        await register(deployment)
        await runner.aadd_deployment(deployment)


async def _follow(
    runner: "Runner", settings: Settings, known: dict[str, int], stop: Callable[[], object]
) -> None:
    """Register anew whenever a dataset's TOML comes, changes or goes.

    Takes SIGTERM over from the runner, whose own handler leaves without ending its runs.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := _fingerprint(settings)) != known:
            logger.info("the datasets changed: the deployments are registered anew")
            try:
                await _register_all(runner, settings)
                known = now
            except httpx.HTTPError as error:
                logger.warning("not registered, will be tried again: %s", error)


def _fingerprint(settings: Settings) -> dict[str, int]:
    """When each of the user's TOMLs was written."""
    paths = [path for folder in settings.dataset_folders for path in folder.glob("*.toml")]
    return {str(path): path.stat().st_mtime_ns for path in paths}
