"""Work divided among threads, without changing its results.

The kernel releases Python's global lock, so plain Python threads suffice. They sleep while they
wait, whereas OpenMP's threads spin, which is much slower when another process needs the core. Their
number is torch's (`torch.set_num_threads`, or OMP_NUM_THREADS in the environment).

In a training, the operations of torch are small: waking OpenMP's threads for each takes longer than
they save. So an engine with the kernel leaves torch one thread (`threads_in_use`).
"""

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

_PRODUCTS = 4e6
"""Least multiplications per thread: 0.1 ms, about the cost of waking a thread."""

_kernel_threads: list[int] = []
"""Numbers of the blocks of `threads_in_use` that are open, the innermost last."""


@contextmanager
def threads_in_use(*, kernel: int, others: int) -> Iterator[None]:
    """Set the number of threads of the kernel and of torch's operations inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(others)
    _kernel_threads.append(kernel)
    try:
        yield
    finally:
        _kernel_threads.pop()
        torch.set_num_threads(before)


def share(count: int, work: Callable[[int, int], object], products: float) -> None:
    """Call `work(first, last)` in several threads, for ranges that together cover range(count).

    Args:
        count: number of streams, rows or the like.
        work: its results must not depend on how the range is divided.
        products: approximate number of multiplications, which decides how many threads to use.
    """
    number = _kernel_threads[-1] if _kernel_threads else torch.get_num_threads()
    parts = max(1, min(number, count, int(products / _PRODUCTS)))
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
