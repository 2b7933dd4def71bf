"""Ctrl-C and SIGTERM as a wish: what is at work puts itself in order before it goes."""

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
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Note a signal instead of dying of it; on leaving, pass it on to whoever had it before.

    Only the main thread can do so; in any other the request stays empty.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = number

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if request.signal is not None:
            signal.raise_signal(request.signal)


def end_with_parent() -> None:
    """From now on, get a SIGTERM when the process that started this one dies, however it dies.

    Prefect's runner starts runs without that: one that is killed would leave them at work.
    """
    ask_kernel = dying_with_parent(signal.SIGTERM)
    if ask_kernel is not None:
        ask_kernel()


def end_within(seconds: float) -> None:
    """From now on, end this process by force if SIGTERM has not ended it after so many seconds.

    A SIGTERM is only handled between two steps of Python's main thread, and a step can be a long
    matrix product or a wait for a dead network. Whoever handles SIGTERM is not disturbed: the
    interpreter writes the number of every signal into a socket that a thread reads.
    """
    listening, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        with told:
            while signal.SIGTERM not in listening.recv(64):
                pass
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end-within").start()
