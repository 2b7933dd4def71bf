"""What a run would do, and why, before anything is done.

Keys follow from the settings and from what the source holds, so the whole plan is known at once;
nothing here starts Prefect or imports torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from corpora.errors import SourceError
from flows.errors import StageError
from flows.options import STAGE_NAMES, Options, Run, StageName
from flows.stages.table import STAGES
from flows.store.manifest import Manifest
from flows.store.paths import Layout
from flows.store.stage import Stage, newest_key, next_key, why_outdated

Action = Literal["reuse", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What will be done about one stage.

    Attributes:
        key: of the run to reuse, or to make.
        reason: why, in words.
        seconds: how long it will take, from the time it took before; None if nobody knows.
        taken: reused as it stands, without asking whether it is current.
    """

    stage: StageName
    action: Action
    key: str
    reason: str
    seconds: float | None = None
    taken: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON says it."""
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
        """How long it will take, None if that is not known of some stage."""
        times = [d.seconds for d in self.decisions if d.action == "run"]
        known = [seconds for seconds in times if seconds is not None]
        return sum(known) if len(known) == len(times) else None


def make_plan(run: Run, options: Options, layout: Layout) -> Plan:
    """Decide about every stage that `options` ask for.

    Raises:
        StageError: if a stage that should be reused as it stands was never run.
        SourceError: if the source has to be asked and does not answer.
    """
    keys: dict[StageName, str] = {}
    rerun: set[str] = set()
    decisions = []
    for stage in asked_for(options):
        if is_before(stage.name, options):
            decision = _take(stage, run, layout)
        else:
            decision = _decide_or_take_stale(stage, run, layout, keys, rerun, options)
        keys[stage.name] = decision.key
        if decision.action == "run":
            rerun.add(stage.name)
        decisions.append(decision)
    return Plan(dataset=run.dataset, decisions=tuple(decisions))


def asked_for(options: Options) -> tuple[Stage, ...]:
    """The stages up to the last one that is asked for."""
    last = STAGE_NAMES.index(options.only) if options.only else len(STAGES) - 1
    return STAGES[: last + 1]


def is_before(stage: str, options: Options) -> bool:
    """Whether the stage stands before the first one asked for."""
    first = options.start or options.only
    return first is not None and STAGE_NAMES.index(stage) < STAGE_NAMES.index(first)


def _take(stage: Stage, run: Run, layout: Layout) -> Decision:
    key = layout.latest_key(stage.name, run.dataset)
    if key is None:
        raise StageError(
            f"{run.dataset}: {stage.name} was never finished, so nothing can start after it; "
            f"run `charmill run {run.dataset} --only {stage.name}` first, "
            "or leave out --from/--only"
        )
    manifest = Manifest.load(layout.published(stage.name, run.dataset, key))
    reason = f"taken as it stands, finished {_day(manifest)}"
    outdated = why_outdated(stage, layout, run.dataset, key)
    if changed := [*_settings_since(manifest, stage, run), *filter(None, [outdated])]:
        reason += f" (though {changed[0]})"
    return Decision(stage=stage.name, action="reuse", key=key, reason=reason, taken=True)


def _decide_or_take_stale(
    stage: Stage,
    run: Run,
    layout: Layout,
    keys: Mapping[StageName, str],
    rerun: set[str],
    options: Options,
) -> Decision:
    """Decide; where the source does not answer and the user allows it, take the last fetch."""
    try:
        return _decide(stage, run, layout, keys, rerun, force=options.force)
    except SourceError as error:
        if not options.allow_stale or layout.latest_key(stage.name, run.dataset) is None:
            raise
        taken = _take(stage, run, layout)
        return replace(taken, reason=f"STALE, {taken.reason}: {error}")


def _decide(
    stage: Stage,
    run: Run,
    layout: Layout,
    keys: Mapping[StageName, str],
    rerun: set[str],
    *,
    force: bool,
) -> Decision:
    inputs = stage.choose(keys)
    digest = stage.digest(run, inputs)
    newest = newest_key(layout, stage.name, run.dataset, digest)
    latest = layout.latest_key(stage.name, run.dataset)
    known = latest and Manifest.load(layout.published(stage.name, run.dataset, latest))
    outdated = why_outdated(stage, layout, run.dataset, newest)
    if newest and not (force or outdated):
        made = Manifest.load(layout.published(stage.name, run.dataset, newest))
        reason = f"same input, settings and code as on {_day(made)}"
        return Decision(stage=stage.name, action="reuse", key=newest, reason=reason)
    remade = force or outdated
    key = next_key(layout, stage.name, run.dataset, digest) if remade else digest
    if remade:
        reason = outdated or "forced"
    elif not known:
        reason = "never run before"
    else:
        changed = _changes(known, stage, run, inputs, rerun)
        reason = "; ".join(changed[:3]) + (" ..." if len(changed) > 3 else "")
    if stage.resumable and layout.work(stage.name, run.dataset, key).exists():
        reason += "; goes on where it was interrupted"
    seconds = _expected_seconds(stage, run, known or None)
    return Decision(stage=stage.name, action="run", key=key, reason=reason, seconds=seconds)


def _expected_seconds(stage: Stage, run: Run, known: Manifest | None) -> float | None:
    """The time it took last; the budget, where that is a time."""
    if stage.name == "train" and run.train.budget.seconds is not None:
        return run.train.budget.seconds
    return known.seconds if known else None


def _changes(
    known: Manifest,
    stage: Stage,
    run: Run,
    inputs: Mapping[Any, str],
    rerun: set[str] | None = None,
) -> list[str]:
    """What is another than when `known` was made, in words."""
    upstream = [
        f"{name} {'will be made anew' if name in (rerun or ()) else 'changed'}"
        for name in stage.inputs
        if known.inputs.get(name) != inputs[name]
    ]
    code = [f"its code changed (version {known.version} -> {stage.version})"]
    parameters = list(_differences(known.parameters, stage.parameters(run)))
    return upstream + (code if known.version != stage.version else []) + parameters


def _settings_since(manifest: Manifest, stage: Stage, run: Run) -> Iterator[str]:
    """What the settings say otherwise than when `manifest` was made; never asks the source."""
    if stage.name == "fetch":
        now = {"source": run.spec.source.model_dump(mode="json")}
        return _differences({"source": manifest.parameters["source"]}, now)
    return _differences(manifest.parameters, stage.parameters(run))


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """Name every leaf in which two JSON-plain values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}...{text[-12:]}"


def _day(manifest: Manifest) -> str:
    return manifest.created[:16].replace("T", " ")
