"""Concurrency limits for training, and which errors are worth a retry.

Prefect's global concurrency limits allow one training at a time per device. They are shown in the
UI, can be raised there, and apply to all machines that share a server and use the same name for a
device. The command line shares no server; there a file lock takes their place.
"""

import fcntl
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from corpora.errors import SourceError
from flows.progress import Reporter
from flows.store.locking import explaining_lockless
from flows.store.runs import Store

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.tasks import Task

LEASE_SECONDS = 60
"""How long a slot remains occupied after its holder was killed."""
RETRIES = 4
FIRST_PAUSE_SECONDS = 10
JITTER = 0.5
TRANSIENT_WORDS = re.compile(
    r"could not resolve host|connection (timed out|refused|reset)|timed? ?out|early eof"
    r"|remote end hung up|unexpected disconnect|temporary failure|network is unreachable"
    r"|failed to connect|returned error: (429|5\d\d)|rpc failed",
    re.IGNORECASE,
)
"""Git's messages about network failures; git has no exit status for them."""


@contextmanager
def training_slot(device: str, store: Store, reporter: Reporter) -> Iterator[None]:
    """Wait for the device, and hold it while the block runs.

    Runs of deployments share a device up to Prefect's limit; one of `charmill serve` that has to
    wait gives its process back, so the block must not be in a task. A training from the command
    line shares no server: it excludes every other training with the same artifacts root.

    Args:
        device: as `torch.device` names it: "cpu", "cuda:0".
        reporter: shows what the training is waiting for.
    """
    from prefect.runtime import deployment

    if deployment.get_id() is None:
        with _locked(device, store, fcntl.LOCK_EX, reporter):
            yield
        return
    with _slot(device, reporter), _locked(device, store, fcntl.LOCK_SH, reporter):
        yield


@contextmanager
def _slot(device: str, reporter: Reporter) -> Iterator[None]:
    """Hold a slot of Prefect's limit."""
    from prefect.concurrency.sync import concurrency

    from flows.orchestration.waiting.turn import slot_or_row, this_run

    name = ensure_limit(device)
    if this_run().work_pool_name is None:
        with slot_or_row(name, LEASE_SECONDS):
            yield
        return
    # The container of a work pool may be gone for good, with what it has built.
    reporter.say(f"waiting for a slot of {name}")
    with concurrency(
        name, lease_duration=LEASE_SECONDS, strict=True, raise_on_lease_renewal_failure=False
    ):
        yield


@contextmanager
def _locked(device: str, store: Store, kind: int, reporter: Reporter) -> Iterator[None]:
    """Hold the lock of a device of this machine; the kernel releases it when the process ends."""
    path = store.lock(f"training-on-{platform.node()}-{device.replace(':', '-')}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            with explaining_lockless(path):
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.say(f"waiting for {device}: another training is using it")
            fcntl.flock(lock, kind)
        yield


def ensure_limit(device: str) -> str:
    """Create the limit of a device with one slot, unless it exists: its size is the user's choice.

    Returns:
        The name of the limit.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    name = f"training-on-{device.replace(':', '-')}"
    with get_client(sync_client=True) as client:
        try:  # before creating it, because the server logs a second creation as an error
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            with suppress(ObjectAlreadyExists):
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=name, limit=1, active=True)
                )
    return name


def worth_a_retry(_task: "Task", _run: "TaskRun", state: "State") -> bool:
    """Whether a failed task may succeed on retry; Prefect's `retry_condition_fn`."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, BaseException) and is_transient(failure)


def is_transient(error: BaseException) -> bool:
    """Whether an error comes from a network that may recover within minutes.

    A spent quota, an invalid setting and a missing repository are permanent: a retry would cost
    time, and possibly quota.
    """
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return isinstance(error, SourceError) and bool(TRANSIENT_WORDS.search(str(error)))
