"""What a fault is, and how many rounds of many faults run in a few processes.

A module of this package that has a list `FAULTS` takes part. Every round gets its own generator of
random numbers, made from the name of the fault and a seed, so a round can be repeated by itself.
"""

import importlib
import json
import multiprocessing
import pkgutil
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROUND_SECONDS = 900
"""Default limit of one round, far more than the busiest machine needs: one that hangs is lost."""


class LostError(AssertionError):
    """A promise was broken: something finished is lost, or something half-made passed for whole."""


class UnavailableError(Exception):
    """This machine cannot make the fault; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: for the table and `--only`.
        rounds: how many rounds a full run takes.
        short_rounds: how many a short run takes; 0 for none.
        run: one round; raises an AssertionError (such as `LostError`) if anything was lost. May
            return how many faults it made, if that is not one.
        seconds: limit of one round.
    """

    name: str
    rounds: int
    short_rounds: int
    run: Callable[[random.Random], int | None]
    seconds: int = ROUND_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How a round ended: `loss` or `skipped` says why, both None if everything survived."""

    fault: str
    seed: int
    made: int = 0
    seconds: float = 0.0
    loss: str | None = None
    skipped: str | None = None


@dataclass(slots=True)
class Row:
    """A fault and its rounds so far."""

    group: str
    fault: Fault
    wanted: int
    rounds: list[Round] = field(default_factory=list)

    @property
    def lost(self) -> list[Round]:
        """The rounds that lost something."""
        return [one for one in self.rounds if one.loss is not None]

    @property
    def skipped(self) -> list[Round]:
        """The rounds that this machine could not run."""
        return [one for one in self.rounds if one.skipped is not None]

    def cells(self) -> tuple[str, ...]:
        """Name, faults made, rounds, rounds survived, rounds lost, seconds per round."""
        done, lost, skipped = len(self.rounds), len(self.lost), len(self.skipped)
        made, took = (sum(getattr(one, key) for one in self.rounds) for key in ("made", "seconds"))
        numbers = (str(made), str(done), str(done - lost - skipped))
        reason = f"skipped: {self.skipped[0].skipped}" if skipped else str(lost)
        return f"{self.group}: {self.fault.name}", *numbers, f"{took / done:.1f}", reason


def rows(only: str, *, short: bool, rounds: int | None) -> list[Row]:
    """The faults whose "group: name" contains `only`, each with the number of rounds wanted."""
    found = []
    for group in sorted(one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if group == "__main__" or group.startswith("test_"):
            continue
        for fault in _faults(group):
            usual = fault.short_rounds if short else fault.rounds
            wanted = usual if rounds is None else rounds
            if only in f"{group}: {fault.name}" and wanted:
                found.append(Row(group=group, fault=fault, wanted=wanted))
    return found


def recall(found: list[Row], record: Path, seed: int) -> None:
    """Add the rounds that an earlier call recorded, but for those that lost something.

    Args:
        record: a file with one round a line, as `note` writes it; need not exist.
    """
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    ended = {(one["fault"], one["seed"]): Round(**one) for one in map(json.loads, lines)}
    for row in found:
        known = (ended.get((row.fault.name, seed + number)) for number in range(row.wanted))
        row.rounds += [one for one in known if one is not None and one.loss is None]


def note(ended: Round, record: Path) -> None:
    """Append a round to a record."""
    with record.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(asdict(ended))}\n")


def run_all(found: list[Row], seed: int, processes: int) -> Iterator[Row]:
    """Run the rounds that a row lacks; yields the row to which one was added, as they end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {
            pool.submit(_run, row.group, row.fault.name, its_seed): (row, its_seed)
            for row in found
            for its_seed in range(seed, seed + row.wanted)
            if its_seed not in {one.seed for one in row.rounds}
        }
        for future in as_completed(running):
            row, its_seed = running[future]
            try:
                ended = future.result()
            except BrokenProcessPool:
                ended = Round(fault=row.fault.name, seed=its_seed, loss="its process was killed")
            row.rounds.append(ended)
            yield row


def _faults(group: str) -> list[Fault]:
    return getattr(importlib.import_module(f"tests.faults.{group}"), "FAULTS", [])


def _run(group: str, name: str, seed: int) -> Round:
    """One round, in a process of the pool."""
    fault = next(one for one in _faults(group) if one.name == name)
    began = time.monotonic()

    def expired(_number: int, _frame: object) -> None:
        raise LostError(f"hung for {fault.seconds} s")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(fault.seconds)
    loss = skipped = None
    made = 0
    try:
        number = fault.run(random.Random(f"{name}:{seed}"))
        made = 1 if number is None else number
    except UnavailableError as reason:
        skipped = str(reason)
    except Exception:  # noqa: BLE001 (whatever a round raises, its seed must be shown)
        loss = traceback.format_exc()
    finally:
        signal.alarm(0)
    took = time.monotonic() - began
    return Round(fault=name, seed=seed, made=made, seconds=took, loss=loss, skipped=skipped)
