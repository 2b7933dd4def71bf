"""Runs the arms of claims, and remembers what came out."""

import json
from pathlib import Path

from benchmarks.claims.context import bits_after
from benchmarks.claims.experiments import DEFAULTS, Arm, TimedArm
from benchmarks.claims.verdict import Figures
from benchmarks.real_corpora import charmill
from benchmarks.rivals.cells import Key
from benchmarks.rivals.texts import Library
from benchmarks.rivals.trained import PART, Gym
from evaluation.metrics.new_units import NEW_UNITS
from evaluation.report.render import load_report
from evaluation.results import Evaluation
from flows.api.dataset import open_dataset
from flows.store.runs import Store
from modeling.config import Budget
from system.files import make_folder, write_whole

HELD_OUT = 300_000
"""Characters of the texts of a `TimedArm`, at most."""


class Trial:
    """Runs arms with `small` and so many characters each, so that a busy machine changes nothing.

    Args:
        root: artifacts root; what is known is in `claims.json` there.
        mirrors: that of benchmarks.results.
        config: of git, which leads to the mirrors.
        characters: that an arm with a share of 1 reads.
    """

    def __init__(self, root: Path, mirrors: Path, config: Path, characters: int) -> None:
        self.root, self.mirrors, self.config = root, mirrors, config
        self.characters = characters
        self.memory = root / "claims.json"
        self.known: dict[str, Figures] = {}
        if self.memory.exists():
            self.known = json.loads(self.memory.read_text(encoding="utf-8"))

    def figures(self, arm: Arm | TimedArm, seed: int) -> Figures:
        """The figures of one run, from memory if they are there.

        Raises:
            TrialError: if a stage fails.
        """
        name = f"{arm}, seed {seed}, {self.characters} characters"
        if name not in self.known:
            timed = isinstance(arm, TimedArm)
            self.known[name] = self._timed(arm, seed) if timed else self._run(arm, seed)
            make_folder(self.root)
            write_whole(self.memory, json.dumps(self.known, indent=1).encode())
        return self.known[name]

    def _timed(self, arm: TimedArm, seed: int) -> Figures:
        library = Library(folder=self.root, mirrors=self.mirrors, git_config=self.config)
        gym = Gym(mirrors=self.mirrors, models=self.root / "timed")
        key = Key(part=PART, rival=arm.rival, text=arm.text, seconds=arm.seconds, seed=seed)
        return {"bits": gym.train(key, library.texts(arm.text, HELD_OUT))["bits"]}

    def _run(self, arm: Arm, seed: int) -> Figures:
        settings = {**DEFAULTS, **arm.settings, "train.seed": str(seed)}
        budget = str(Budget(characters=round(arm.share * self.characters)))
        arguments = ["run", arm.dataset, "--preset", "small", "--budget", budget]
        for key, value in settings.items():
            arguments += ["--set", f"{key}={value}"]
        charmill(arguments, self.root, self.config)
        run = Store(self.root).runs("evaluate", arm.dataset).last()
        if arm.context is not None:
            dataset = open_dataset(arm.dataset, run.key, artifacts=self.root)
            return {"bits": bits_after(dataset, arm.context)}
        return measured(load_report(run.folder / "report.json"), arm.temperature)


def measured(report: Evaluation, temperature: float) -> Figures:
    """The figures of a report that claims are judged by."""
    bits = {row.kind: row.bits_per_char for row in report.ladder if row.kind == "model"}["model"]
    ngram = min(row.bits_per_char for row in report.ladder if row.kind == "ngram")
    (group,) = (one for one in report.groups if one.temperature == temperature)
    validity = group.metrics.get(report.headline or "")
    units = group.metrics.get(NEW_UNITS)
    return {
        "bits": bits,
        "gain": ngram - bits,
        "validity": validity.value if validity else None,
        "new units": units.value if units else None,
    }
