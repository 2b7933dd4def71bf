"""What may happen at once, and what is worth another try.

One training at a time on a device is a global concurrency limit of Prefect: it is seen and can be
raised in the UI, and holds for all machines that share a server and name a device alike.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from corpora.errors import SourceError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.tasks import Task

logger = logging.getLogger(__name__)
LEASE_SECONDS = 60
"""So long a slot stays taken after its holder was killed."""
RETRIES = 4
FIRST_PAUSE_SECONDS = 10
JITTER = 0.5
TRANSIENT_WORDS = re.compile(
    r"could not resolve host|connection (timed out|refused|reset)|timed? ?out|early eof"
    r"|remote end hung up|unexpected disconnect|temporary failure|network is unreachable"
    r"|failed to connect|returned error: (429|5\d\d)|rpc failed",
    re.IGNORECASE,
)
"""What git says of a network that failed; it has no exit status for that."""


@contextmanager
def training_slot(device: str) -> Iterator[None]:
    """Wait for the device, and hold it while the block runs.

    Only in a run of a deployment: on the command line, whoever types is the limit.

    Args:
        device: as `torch.device` says it: "cpu", "cuda:0".
    """
    from prefect.concurrency.sync import concurrency
    from prefect.runtime import deployment

    if deployment.get_id() is None:
        yield
        return
    name = f"training-on-{device.replace(':', '-')}"
    _ensure(name)
    logger.info("waiting for a slot of %s", name)
    with concurrency(
        name, lease_duration=LEASE_SECONDS, strict=True, raise_on_lease_renewal_failure=False
    ):
        yield


def _ensure(name: str) -> None:
    """Make the limit, with one slot, unless it is there: then its size is the user's choice."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=name, limit=1, active=True)
        )


def worth_a_retry(_task: "Task", _run: "TaskRun", state: "State") -> bool:
    """Whether a failed task may succeed when tried again: for Prefect's `retry_condition_fn`."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, BaseException) and is_transient(failure)


def is_transient(error: BaseException) -> bool:
    """Whether an error comes from a network that may be back in a minute.

    A spent quota, a wrong setting and a missing repository are not: another try costs time, and
    with a quota more than that.
    """
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return isinstance(error, SourceError) and bool(TRANSIENT_WORDS.search(str(error)))
