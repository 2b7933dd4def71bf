"""Inject faults, and check after each that nothing finished was lost.

    python -m tests.faults [--short] [--only TEXT] [--seed N] [--rounds N] [--processes N]
                           [--record FILE]

Prints a table: fault, rounds, survived, lost. Exit status 1 if any round lost something; its seed
is printed, and `--only NAME --seed SEED --rounds 1` repeats it. `docs/faults.md` says more.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.table import Row, note, recall, rows, run_all


def main() -> int:
    """Run the faults that the command line selects; returns the exit status."""
    options = _options()
    # Not at the top, because processes of the pool import this module too.
    import tests.conftest  # noqa: F401 (leaves the user's configuration out)

    os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    with tempfile.TemporaryDirectory(prefix="charmill-faults-") as folder:
        # Whatever a killed process leaves is deleted with this folder.
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    found = rows(options.only, short=options.short, rounds=options.rounds)
    if not found:
        _say(f"no fault is called {options.only!r}")
        return 2
    began = time.monotonic()
    if options.record:
        recall(found, options.record, options.seed)
    for row in run_all(found, options.seed, options.processes):
        last = row.rounds[-1]
        if options.record:
            note(last, options.record)
        if last.loss is not None:
            again = f'--only "{row.fault.name}" --seed {last.seed} --rounds 1'
            _say(f"\nLOST: {row.fault.name}; repeat it with {again}\n{last.loss}")
        elif len(row.rounds) == row.wanted or len(row.rounds) % 20 == 0:
            took = time.monotonic() - began
            _say(f"{took:6.0f} s  {row.fault.name}: {len(row.rounds)} of {row.wanted} rounds")
    _print_table(found)
    return int(any(row.lost for row in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--short", action="store_true", help="the part that takes a minute")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults with this in the name")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first round")
    parser.add_argument("--rounds", type=int, help="rounds of every fault")
    parser.add_argument("--processes", type=int, default=2, help="rounds at the same time")
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="append rounds to it; repeat only those it lacks",
    )
    return parser.parse_args()


def _print_table(found: list[Row]) -> None:
    head = ("fault", "faults", "rounds", "survived", "s/round", "lost")
    _say("")
    for name, made, done, survived, took, lost in (head, *(row.cells() for row in found)):
        _say(f"{name:<48}{made:>8}{done:>8}{survived:>10}{took:>9}  {lost}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
