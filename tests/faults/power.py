"""Power cuts: everything that was not brought to the disk may be lost, in any combination.

Each stage is recorded once. A round cuts the power at a random moment of a recording, builds disks
that may then be found, and reads the store from each; from the last one the stage is run again.
What was finished must be whole, even if the power fails right after the stage has ended.
"""

import functools
import pickle
import shutil
from pathlib import Path
from random import Random

from flows.options import StageName
from flows.store.remote import Remote
from flows.store.runs import Store
from tests.faults.children import fork
from tests.faults.dataset import DATASET, Kind, dataset
from tests.faults.kills import STEPS, Scene, scene
from tests.faults.recording import Recording, recorded
from tests.faults.store import Digests, check, check_same, known_digests
from tests.faults.table import Fault, LostError

DISKS = 20
"""Built in each round."""


@functools.cache
def _recording(kind: Kind, stage: StageName) -> tuple[Recording, dict[str, Digests]]:
    """A recording of a stage, and the digests of all that is finished at its end."""
    with scene(kind, stage) as recorded_scene:
        made = recorded_scene.folder / "recording"
        recorded_scene.artifacts.mkdir(exist_ok=True)

        def record() -> str:
            recording = recorded(recorded_scene.artifacts, recorded_scene.make)
            made.write_bytes(pickle.dumps(recording))
            return ""

        fork(record, folder=recorded_scene.folder).ends_well()
        return pickle.loads(made.read_bytes()), known_digests(recorded_scene.store, DATASET)


def _cut(kind: Kind, stage: StageName, random: Random) -> int:
    """Cut the power in a stage."""
    recording, at_end = _recording(kind, stage)
    last = len(recording.frames) - 1
    with scene(kind, stage) as disturbed:
        before = dict(disturbed.known)
        for number in range(DISKS):
            # Every fifth cut comes after the end.
            at = last if number % 5 == 0 else random.randint(0, last)
            place = disturbed.folder / f"disk-{number}"
            recording.crash(at, random, place)
            known = dict(at_end if at == last else before)
            try:
                check(Store(place), DATASET, known)
                _check_contents(known, at_end)
            except LostError as lost:
                raise LostError(f"power cut after frame {at} of {last}: {lost}") from None
        _finish_on(place, disturbed)
    return DISKS


def _check_contents(found: dict[str, Digests], at_end: dict[str, Digests]) -> None:
    """What counts as finished must have the files that were finished."""
    for name, its_digests in found.items():
        if its_digests != at_end[name]:
            wrong = set(its_digests.items()) ^ set(at_end[name].items())
            raise LostError(f"{name} counts as finished without its files: {sorted(wrong)}")


def _finish_on(place: Path, disturbed: Scene) -> None:
    """Run the stage from a disk that was found after a power cut."""
    shutil.rmtree(disturbed.artifacts, ignore_errors=True)
    place.rename(disturbed.artifacts)
    disturbed.check_finished()


def _cut_while_sending(random: Random) -> int:
    """Cut the power while a finished run is copied to a remote store on a disk."""
    data = dataset("folder")
    data.finish("corpus")
    run = Store(data.reference).runs("corpus", DATASET).run(data.keys["corpus"])
    with scene("folder", "fetch") as disturbed:
        there, made = disturbed.folder / "remote", disturbed.folder / "recording"
        there.mkdir()

        def record() -> str:
            remote = Remote.at(f"file://{there}")
            made.write_bytes(pickle.dumps(recorded(there, lambda: remote.send(run))))
            return ""

        fork(record, folder=disturbed.folder).ends_well()
        recording: Recording = pickle.loads(made.read_bytes())
        last = len(recording.frames) - 1
        for number in range(DISKS):
            at = last if number % 5 == 0 else random.randint(0, last)
            place = disturbed.folder / f"disk-{number}"
            recording.crash(at, random, place)
            fetched = Store(disturbed.folder / f"fetched-{number}")
            remote = Remote.at(f"file://{place}")
            copy = fetched.runs("corpus", DATASET).run(run.key)
            if not remote.has(copy):
                if at == last:
                    raise LostError("a run that was sent is gone from the remote store")
                continue
            assert remote.fetch(copy)
            check_same(copy, run)
    return DISKS


FAULTS = [
    *(
        Fault(
            name=f"power cut, fetch from {kind}" if stage == "fetch" else f"power cut, {stage}",
            rounds=10,
            short_rounds=int(stage in ("corpus", "train")),
            run=functools.partial(_cut, kind, stage),
        )
        for kind, stage in STEPS
    ),
    Fault(name="power cut, sending", rounds=10, short_rounds=1, run=_cut_while_sending),
]
