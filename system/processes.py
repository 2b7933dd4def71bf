"""Child processes that do not outlive this one."""

import ctypes
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def dying_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: have the kernel send the child this signal when its parent dies.

    None on systems that cannot. libc is looked up here, because the child must not after the fork.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, number)
