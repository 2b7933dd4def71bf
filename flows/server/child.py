"""A server as a child process that dies with this process, however this one ends.

The listening socket belongs to this process, and the child inherits it. So no other account can
take the port between our check and the start of the server; and if the server dies, requests wait
in the socket's queue until another one has been started.
"""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flows.errors import StageError
from system.processes import dying_with_parent
from system.settings import CHECKOUT

logger = logging.getLogger(__name__)
START_SECONDS = 180
STOP_SECONDS = 5
MAX_RESTARTS = 3
MAX_LOG_BYTES = 100_000
"""The last exception is looked for in so much of the end of a log."""
EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception)\b.*", re.MULTILINE)
"""The last line of a traceback."""


class ServerProcess:
    """A running server, restarted up to three times if it dies."""

    def __init__(
        self,
        *,
        factory: str,
        listener: socket.socket,
        log: Path,
        environment: Mapping[str, str],
        api_url: str,
    ) -> None:
        """Start the server.

        Args:
            factory: the function of `flows.server.app` that makes the application.
            listener: bound to the address; closed when the server ends.
        """
        self._listener, self._log, self._api_url = listener, log, api_url
        self._command = [sys.executable, "-P", "-m", "flows.server"]
        self._command += [factory, str(listener.fileno())]
        # With -P, Python does not look into the current folder, which may hold another `flows`.
        path = os.pathsep.join(filter(None, (str(CHECKOUT), environment.get("PYTHONPATH"))))
        self._environment = {**environment, "PYTHONPATH": path}
        log.unlink(missing_ok=True)
        self._lock, self._is_closing = threading.Lock(), False
        self._process = self._start()

    def wait(self, is_healthy: Callable[[str], bool]) -> None:
        """Wait until the server answers; from then on it is restarted if it dies.

        Raises:
            StageError: if it does not start; names its log file.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if is_healthy(self._api_url):
                threading.Thread(target=self._keep_running, daemon=True).start()
                return
            time.sleep(0.1)
        why = last_exception(self._log)
        reason = f" ({why})" if why else ""
        raise StageError(
            f"Prefect's server did not start at {self._api_url}{reason}; its log: {self._log}"
        )

    def close(self) -> None:
        """End the server."""
        with self._lock:
            self._is_closing = True
        self._listener.close()
        process = self._process
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self) -> subprocess.Popen:
        with self._log.open("a") as sink:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=[self._listener.fileno()],
                start_new_session=True,
                preexec_fn=dying_with_parent(signal.SIGKILL),  # noqa: PLW1509 (touches no lock)
            )

    def _keep_running(self) -> None:
        # The kernel ends a child with the thread that started it, so this one never returns early.
        for number in range(1 + MAX_RESTARTS):
            self._process.wait()
            with self._lock:
                if self._is_closing:
                    return
                if number < MAX_RESTARTS:
                    logger.warning("Prefect's server ended; starting it again")
                    self._process = self._start()
        logger.error("Prefect's server ended again; its log: %s", self._log)
        self._listener.close()  # so that clients fail instead of waiting


def last_exception(log: Path) -> str:
    """The last exception in the log of a server, in one line; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - MAX_LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    found = EXCEPTION.findall(text)
    return found[-1].strip() if found else ""
