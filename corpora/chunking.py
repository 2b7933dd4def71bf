"""Cut a sequence into groups of bounded size."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def cut(items: Sequence[Item], limit: int, size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Cut a sequence into groups, each ending where it reaches `limit`."""
    group: list[Item] = []
    held = 0
    for item in items:
        group.append(item)
        held += size(item)
        if held >= limit:
            yield group
            group, held = [], 0
    if group:
        yield group
