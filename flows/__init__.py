"""Orchestration: the stages, their plan, their Prefect flows and the command line."""

import sys

if sys.platform == "win32":
    sys.stderr.write(
        "charmill: Windows is not supported (file locks, signals and limits of processes are those "
        "of POSIX); use it in WSL\n"
    )
    sys.exit(2)
