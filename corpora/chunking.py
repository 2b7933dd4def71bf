"""Group neighbouring items up to a size."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def grouped(items: Sequence[Item], limit: int, size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Yield consecutive groups; each ends with the item that brings its size to `limit` or more."""
    group: list[Item] = []
    total = 0
    for item in items:
        group.append(item)
        total += size(item)
        if total >= limit:
            yield group
            group, total = [], 0
    if group:
        yield group
