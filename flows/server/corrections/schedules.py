"""Keep the parameters of a schedule when its update does not mention them.

The switch of a schedule in Prefect's UI sends `{"active": false}`. Prefect fills in what is missing
with defaults, writes all that is not None, and so replaces the parameters with `{}`: the schedule
later trains something else. Reported as PrefectHQ/prefect 17982; so up to 3.9.1.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from prefect.server.models import deployments
from prefect.server.schemas.actions import DeploymentScheduleUpdate


def keep_what_an_update_omits() -> None:
    """Correct Prefect's update of schedules, unless Prefect has done so itself."""
    if is_needed(deployments.update_deployment_schedule):
        original = deployments.update_deployment_schedule
        deployments.update_deployment_schedule = _without_defaults(original)


def is_needed(update: Callable[..., Any]) -> bool:
    """Whether this function writes fields that were not sent."""
    fills_in = DeploymentScheduleUpdate().parameters is not None
    return fills_in and "exclude_unset" not in inspect.getsource(inspect.unwrap(update))


def _without_defaults(update: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(update)
    async def update_what_was_sent(
        *args: Any, schedule: DeploymentScheduleUpdate, **others: Any
    ) -> bool:
        sent = schedule.model_copy()
        for name in set(DeploymentScheduleUpdate.model_fields) - schedule.model_fields_set:
            object.__setattr__(sent, name, None)  # Prefect leaves these out
        return await update(*args, schedule=sent, **others)

    return update_what_was_sent
