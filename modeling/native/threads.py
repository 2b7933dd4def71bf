"""Work divided among threads, without changing its results.

The kernel releases Python's global lock, so plain Python threads suffice. They sleep while they
wait, whereas OpenMP's threads spin, which is much slower when another process needs the core. Their
number is torch's (`torch.set_num_threads`, or OMP_NUM_THREADS in the environment).
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

_PRODUCTS = 4e6
"""Least multiplications per thread: 0.1 ms, about the cost of waking a thread."""


def share(count: int, work: Callable[[int, int], object], products: float) -> None:
    """Call `work(first, last)` in several threads, for ranges that together cover range(count).

    Args:
        count: number of streams, rows or the like.
        work: its results must not depend on how the range is divided.
        products: approximate number of multiplications, which decides how many threads to use.
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
