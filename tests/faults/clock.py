"""A clock that jumps back and forth by up to a year while all stages run.

    python -m tests.faults.clock HOME ARTIFACTS

is the process that runs them, with a library preloaded that changes what the system's clock says.
"""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

from flows.options import STAGE_NAMES
from flows.store.runs import Store
from tests.faults.dataset import DATASET, Dataset, cache_folder, dataset
from tests.faults.store import check, check_same
from tests.faults.table import Fault, LostError, UnavailableError
from tests.processes import DEADLINE_SECONDS

JUMPING = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long offset(void) {
    static _Thread_local unsigned calls, state;
    if (!state) state = (unsigned)atoi(getenv("JUMP_SEED")) * 2654435761u + 1;
    static _Thread_local long now;
    if (calls++ % 50 == 0) {
        state = state * 1103515245u + 12345u;
        now = (long)(state >> 4) % 31536000 * (state & 1024 ? 1 : -1);
    }
    return now;
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec += offset();
    return result;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
CLOCK = "import time; print(max(abs(time.time() - time.time()) for _ in range(200)) > 3600)"


@functools.cache
def _library() -> str:
    folder = Path(tempfile.mkdtemp(prefix="clock-"))
    (folder / "clock.c").write_text(JUMPING)
    made = folder / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-O1", folder / "clock.c", "-o", made]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UnavailableError("no C compiler") from None
    jumps = subprocess.run(
        [sys.executable, "-c", CLOCK],
        env=os.environ | {"LD_PRELOAD": str(made), "JUMP_SEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    if jumps.stdout.strip() != "True":
        raise UnavailableError("the clock of this Python cannot be changed")
    return str(made)


def _jump(random: Random) -> None:
    """All stages run while the clock jumps; the results are the usual ones."""
    data = dataset("folder")
    data.finish("evaluate")
    for measured in cache_folder().glob("engine-*.json"):
        os.utime(measured, (2**32, 2**32))  # it expires, and another engine has other results
    with tempfile.TemporaryDirectory(prefix="round-") as name:
        artifacts = Path(name)
        jumping = {"LD_PRELOAD": _library(), "JUMP_SEED": str(random.randrange(1, 1000))}
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.clock", data.home, artifacts],
            env=os.environ | jumping,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        if done.returncode:
            raise LostError(done.stderr)
        store, reference = Store(artifacts), Store(data.reference)
        check(store, DATASET, {})
        for stage in STAGE_NAMES:
            usual = reference.runs(stage, DATASET).run(data.keys[stage])
            check_same(store.runs(stage, DATASET).run(usual.key), usual)


def main() -> None:
    """Run all stages in this process."""
    home, artifacts = map(Path, sys.argv[1:])
    data = Dataset(home=home, reference=artifacts)
    for stage in STAGE_NAMES:
        data.keys[stage] = data.make(stage, artifacts)


FAULTS = [Fault(name="jumping clock", rounds=3, short_rounds=0, run=_jump)]

if __name__ == "__main__":
    main()
