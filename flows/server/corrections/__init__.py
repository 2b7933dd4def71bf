"""Corrections of Prefect's server that its present version needs; remove them as it gets them.

Importing this imports no Prefect, which reads the environment as it is imported.
"""

from starlette.types import ASGIApp

from flows.server.corrections.due_runs import DueRuns
from flows.server.corrections.parameters import CheckedParameters


def correct_prefect() -> None:
    """Correct the Prefect of this process."""
    from flows.server.corrections.deleted_runs import skip_tasks_of_deleted_runs
    from flows.server.corrections.schedules import keep_what_an_update_omits
    from flows.server.corrections.transactions import take_the_write_lock_first

    keep_what_an_update_omits()
    take_the_write_lock_first()
    skip_tasks_of_deleted_runs()


def corrected(app: ASGIApp) -> ASGIApp:
    """Prefect's server with our checks of what its users enter, and no lost runs."""
    return CheckedParameters(DueRuns(app))
