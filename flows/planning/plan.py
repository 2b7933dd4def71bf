"""What a run would do, and why, decided before anything is done.

Keys follow from the settings and the state of the source, so the whole plan is known at once.
Nothing here starts Prefect or imports torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from corpora.errors import SourceError
from flows.errors import DamageError, StageError
from flows.options import STAGE_NAMES, Options, Run, StageName
from flows.stages.table import STAGES
from flows.store.integrity import damage, faults
from flows.store.manifest import Manifest
from flows.store.protection import reserve_all
from flows.store.runs import StageRuns, Store
from flows.store.stage import Stage
from flows.store.status import record_failure
from system.clock import minute

Action = Literal["reuse", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What will be done for one stage.

    Attributes:
        key: of the run to reuse or to execute.
        reason: why, for display.
        seconds: estimated duration, from the last run; None if unknown.
        taken: whether the last run is reused without checking that it is current.
    """

    stage: StageName
    action: Action
    key: str
    reason: str
    seconds: float | None = None
    taken: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The decisions about the stages of one run, in order."""

    dataset: str
    decisions: tuple[Decision, ...]

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        return all(decision.action == "reuse" for decision in self.decisions)

    @property
    def seconds(self) -> float | None:
        """Estimated duration; None if that of some stage is unknown."""
        times = [d.seconds for d in self.decisions if d.action == "run"]
        known = [seconds for seconds in times if seconds is not None]
        return sum(known) if len(known) == len(times) else None


def make_plan(run: Run, options: Options, store: Store) -> Plan:
    """Decide whether each stage that `options` ask for is reused or run.

    Raises:
        StageError: if a stage to be reused has no finished run, or a damaged one.
        SourceError: if the source has to be asked and does not answer.
    """
    planner = _Planner(run, options, store)
    decisions = tuple(planner.decide(stage) for stage in asked_for(options))
    return Plan(dataset=run.dataset, decisions=decisions)


def reserved_plan(run: Run, options: Options, store: Store) -> Plan:
    """Make a plan to be carried out: `charmill gc` removes nothing that it reuses.

    Raises:
        StageError, SourceError: as `make_plan`; the latter is recorded as a failure of the fetch.
    """
    while True:
        try:
            plan = make_plan(run, options, store)
        except SourceError as error:
            record_failure(store.runs("fetch", run.dataset), error)
            raise
        reused = [d for d in plan.decisions if d.action == "reuse"]
        if reserve_all(store.runs(d.stage, plan.dataset).run(d.key) for d in reused):
            return plan


def asked_for(options: Options) -> tuple[Stage, ...]:
    """The stages up to the last one that is asked for."""
    last = STAGE_NAMES.index(options.only) if options.only else len(STAGES) - 1
    return STAGES[: last + 1]


def is_before(stage: str, options: Options) -> bool:
    """Whether the stage comes before the first one asked for."""
    first = options.start or options.only
    return first is not None and STAGE_NAMES.index(stage) < STAGE_NAMES.index(first)


@dataclass(frozen=True, slots=True)
class _Planner:
    """Decides about the stages one after another.

    Attributes:
        keys: of the runs of the stages decided so far.
        rerun: those stages that will run.
    """

    run: Run
    options: Options
    store: Store
    keys: dict[StageName, str] = field(default_factory=dict)
    rerun: set[StageName] = field(default_factory=set)

    def decide(self, stage: Stage) -> Decision:
        if is_before(stage.name, self.options):
            decision = self._take_last(stage)
        else:
            try:
                decision = self._compare(stage)
            except SourceError as error:
                runs = self.store.runs(stage.name, self.run.dataset)
                if not self.options.allow_stale or runs.latest is None:
                    raise
                taken = self._take_last(stage)
                decision = replace(taken, reason=f"STALE, {taken.reason}: {error}")
        self.keys[stage.name] = decision.key
        if decision.action == "run":
            self.rerun.add(stage.name)
        return decision

    def _take_last(self, stage: Stage) -> Decision:
        """Reuse the last run without checking it."""
        dataset = self.run.dataset
        latest = self.store.runs(stage.name, dataset).linked
        if latest is None:
            raise StageError(
                f"{dataset}: {stage.name} has never finished, so later stages cannot run; run "
                f"`charmill run {dataset} --only {stage.name}` first, or omit --from/--only"
            )
        if found := faults(latest):
            raise damage(latest, found)
        reason = f"reused unchecked, finished {minute(latest.manifest.created)}"
        changed = _settings_since(latest.manifest, stage, self.run)
        if why := next(changed, None) or stage.why_outdated(latest):
            reason += f"; not current: {why}"
        return Decision(stage=stage.name, action="reuse", key=latest.key, reason=reason, taken=True)

    def _compare(self, stage: Stage) -> Decision:
        """Reuse the newest run with the same key, unless it must be made again."""
        runs = self.store.runs(stage.name, self.run.dataset)
        inputs = stage.choose(self.keys)
        digest = stage.digest(self.run, inputs)
        choice = stage.decide(self.run, runs, digest, force=self.options.force)
        output, last = choice.run, _last_manifest(runs)
        if choice.is_current:
            reason = f"same input, settings and code as on {minute(output.manifest.created)}"
            if output.manifest.files is None:
                reason += "; made by an earlier version, so its files cannot be verified"
            return Decision(stage=stage.name, action="reuse", key=output.key, reason=reason)
        reason = choice.why
        if not reason and last is None:
            lost = runs.linked
            reason = f"the last run, {lost.key}, is damaged or gone" if lost else "first run"
        elif not reason and last:
            changed = self._changes(last, stage, inputs)
            reason = "; ".join(changed[:3]) + (" ..." if len(changed) > 3 else "")
        if stage.resumable and output.work.exists():
            reason += "; resumes an interrupted run"
        seconds = self._expected_seconds(stage, last)
        return Decision(
            stage=stage.name, action="run", key=output.key, reason=reason, seconds=seconds
        )

    def _expected_seconds(self, stage: Stage, last: Manifest | None) -> float | None:
        """The duration of the last run; of a training, its budget if that is a time."""
        budget = self.run.train.budget
        if stage.name == "train" and budget.seconds is not None:
            return budget.seconds
        return last.seconds if last else None

    def _changes(self, last: Manifest, stage: Stage, inputs: Mapping[StageName, str]) -> list[str]:
        """What changed since the last run, for display."""
        upstream = [
            f"{name} {'will run again' if name in self.rerun else 'changed'}"
            for name in stage.inputs
            if last.inputs.get(name) != inputs[name]
        ]
        code = [f"code changed (version {last.version} -> {stage.version})"]
        parameters = list(_differences(last.parameters, stage.parameters(self.run)))
        return upstream + (code if last.version != stage.version else []) + parameters


def _last_manifest(runs: StageRuns) -> Manifest | None:
    """The manifest of the last run; None if there is none, or it is damaged."""
    try:
        return runs.latest.manifest if runs.latest else None
    except DamageError:
        return None


def _settings_since(manifest: Manifest, stage: Stage, run: Run) -> Iterator[str]:
    """The settings that changed since `manifest` was written; never asks the source."""
    if stage.name == "fetch":
        now = {"source": run.spec.source.model_dump(mode="json")}
        return _differences({"source": manifest.parameters["source"]}, now)
    return _differences(manifest.parameters, stage.parameters(run))


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """Every leaf in which two JSON-plain values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}...{text[-12:]}"
