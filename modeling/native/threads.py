"""Work shared out among threads, without a difference to its results.

The kernel lets go of Python's lock, so plain Python threads suffice. They sleep while they wait,
where OpenMP's would spin: beside a busy neighbour that decides. Their number is torch's
(`torch.set_num_threads`, or OMP_NUM_THREADS in the environment).
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

_PRODUCTS = 4e6
"""For a thread: a tenth of a millisecond, what it costs to wake another one."""


def share(count: int, work: Callable[[int, int], object], products: float) -> None:
    """Call `work(first, last)` for ranges that make up range(count), one a thread.

    Args:
        count: of streams, rows or the like.
        work: does not depend on how the range is divided.
        products: multiplications in all, about; few are not worth a second thread.
    """
    parts = max(1, min(torch.get_num_threads(), count, int(products / _PRODUCTS)))
    ends = [count * part // parts for part in range(parts + 1)]
    waiting = [_pool().submit(work, *ends[part : part + 2]) for part in range(1, parts)]
    work(*ends[:2])
    for done in waiting:
        done.result()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="kernel")


# Threads do not survive a fork.
os.register_at_fork(after_in_child=_pool.cache_clear)
