"""Corrections of Prefect's server that its present version needs; remove them as it gets them."""

from flows.server.corrections.schedules import keep_what_an_update_omits
from flows.server.corrections.transactions import take_the_write_lock_first


def correct_prefect() -> None:
    """Apply all corrections to the Prefect of this process."""
    keep_what_an_update_omits()
    take_the_write_lock_first()
