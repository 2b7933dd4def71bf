"""Collect in a separate process that can kill -9 itself in the middle.

    python -m tests.corpora.sources.youtube.process DIRECTORY STATE ENDPOINT NOW PAGES

The key is read as a user sets it. NOW is the time, ISO 8601. The process kills itself when PAGES
pages are on the disk; if that is 0, it runs to the end.
"""

import os
import signal
import sys
from datetime import datetime
from pathlib import Path

from corpora.sources.youtube.api import Clock
from corpora.sources.youtube.collect import collect
from corpora.sources.youtube.credentials import read_key
from system.settings import Settings
from tests.corpora.sources.youtube.run import source


def main() -> None:
    directory, state, endpoint, now, pages = sys.argv[1:]
    clock = Clock(now=lambda: datetime.fromisoformat(now), sleep=lambda _seconds: None)
    steps = collect(
        source(max_videos=1_000),
        Path(directory),
        key=read_key(Settings()),
        endpoint=endpoint,
        state=Path(state),
        clock=clock,
    )
    for number, _ in enumerate(steps, start=1):
        if number == int(pages):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
