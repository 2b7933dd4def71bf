"""Graceful shutdown: SIGINT and SIGTERM set a flag, so work can checkpoint before it exits."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from system.processes import dying_with_parent

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Set a flag on SIGINT or SIGTERM; on leaving, raise the signal for the previous handler.

    Only the main thread can install handlers; in any other the flag stays unset.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def set_flag(number: int, _frame: FrameType | None) -> None:
        request.signal = number

    before = {number: signal.signal(number, set_flag) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if request.signal is not None:
            signal.raise_signal(request.signal)


def end_with_parent() -> None:
    """From now on, receive SIGTERM when the parent process dies for any reason.

    Prefect's runner starts runs without that: killing it would leave them running.
    """
    ask_kernel = dying_with_parent(signal.SIGTERM)
    if ask_kernel is not None:
        ask_kernel()


def end_within(seconds: float) -> None:
    """From now on, kill this process if it has not exited `seconds` after a SIGTERM.

    A SIGTERM is only handled between two steps of Python's main thread, and a step can be a long
    matrix product or a wait for a dead network. Handlers of SIGTERM are unaffected: the interpreter
    writes the number of every signal into a socket that a thread reads.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        with sender:
            while signal.SIGTERM not in receiver.recv(64):
                pass
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end-within").start()
