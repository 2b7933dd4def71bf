import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from corpora.errors import SourceError
from flows.errors import StageError
from flows.options import Options
from flows.planning import plan as planning
from flows.planning.plan import make_plan, reserved_plan
from flows.progress import LogReporter
from flows.retention.choose import choose
from flows.retention.limits import Limits
from flows.stages.table import STAGES
from flows.store.leftovers import discard
from flows.store.stage import execute
from flows.store.status import failures


def plan(tiny, **options):
    return make_plan(tiny.run(**options), Options(**options), tiny.store)


def actions(plan):
    return " ".join(f"{d.stage}:{d.action}" for d in plan.decisions)


def reasons(plan):
    return {decision.stage: decision.reason for decision in plan.decisions}


def make(tiny, *stages, **options):
    """Execute the named stages."""
    keys = {}
    for stage in STAGES:
        if stage.name in stages:
            keys[stage.name] = execute(
                stage,
                tiny.run(**options),
                stage.choose(keys),
                settings=tiny.settings,
                reporter=LogReporter(),
            ).key


def test_a_first_plan_runs_everything(tiny):
    first = plan(tiny)
    assert actions(first) == "fetch:run corpus:run train:run sample:run evaluate:run"
    assert set(reasons(first).values()) == {"first run"}
    assert not first.is_current


def test_what_is_current_is_reused_and_the_rest_runs(tiny):
    make(tiny, "fetch", "corpus")
    assert actions(plan(tiny)) == "fetch:reuse corpus:reuse train:run sample:run evaluate:run"
    assert reasons(plan(tiny))["corpus"].startswith("same input, settings and code as on")


def test_a_changed_filter_rebuilds_the_corpus_and_says_why(tiny):
    make(tiny, "fetch", "corpus", "train")
    changed = plan(tiny, overrides=("corpus.max_bytes=5000",))
    assert actions(changed) == "fetch:reuse corpus:run train:run sample:run evaluate:run"
    assert reasons(changed)["corpus"] == "max_bytes 1000000 -> 5000"
    assert reasons(changed)["train"] == "corpus will run again"


def test_a_changed_source_is_noticed(tiny):
    make(tiny, "fetch", "corpus")
    (tiny.folder / "new.py").write_text("x = 1\n")
    changed = plan(tiny)
    assert actions(changed).startswith("fetch:run corpus:run")
    assert reasons(changed)["fetch"].startswith("found.digest ")


def test_only_takes_what_is_before_it_and_leaves_what_is_after(tiny):
    make(tiny, "fetch")
    (tiny.folder / "new.py").write_text("x = 1\n")
    only = plan(tiny, only="corpus")
    assert actions(only) == "fetch:reuse corpus:run"
    assert only.decisions[0].taken


def test_from_takes_what_is_before_it_and_goes_on_to_the_end(tiny):
    make(tiny, "fetch", "corpus")
    assert actions(plan(tiny, start="corpus")) == (
        "fetch:reuse corpus:reuse train:run sample:run evaluate:run"
    )


def test_what_is_taken_though_settings_changed_is_said(tiny):
    make(tiny, "fetch", "corpus")
    changed = plan(tiny, only="train", overrides=("corpus.max_bytes=5000",))
    assert "not current: max_bytes 1000000 -> 5000" in reasons(changed)["corpus"]


def test_nothing_can_start_after_a_stage_that_was_never_finished(tiny):
    make(tiny, "fetch")
    with pytest.raises(StageError, match="corpus has never finished"):
        plan(tiny, only="train")


def test_force_runs_again_what_is_asked_for_and_only_that(tiny):
    make(tiny, "fetch", "corpus")
    assert actions(plan(tiny, force=True)).startswith("fetch:run corpus:run")
    forced = plan(tiny, only="corpus", force=True)
    assert actions(forced) == "fetch:reuse corpus:run"
    assert forced.decisions[1].key.endswith("-2")
    assert reasons(forced)["corpus"] == "forced"


def test_the_time_is_the_budget_or_what_it_took_before(tiny):
    make(tiny, "fetch", "corpus")
    changed = plan(tiny, budget="90s", overrides=("corpus.max_bytes=5000",))
    seconds = {decision.stage: decision.seconds for decision in changed.decisions}
    assert seconds["train"] == 90
    assert seconds["corpus"] is not None
    assert seconds["sample"] is None
    assert changed.seconds is None


def test_an_unreachable_source_falls_back_to_the_last_fetch_only_if_allowed(tiny):
    make(tiny, "fetch", "corpus")
    tiny.folder.rename(tiny.folder.with_name("gone"))
    with pytest.raises(SourceError, match="no such folder"):
        plan(tiny)
    stale = plan(tiny, allow_stale=True)
    assert actions(stale).startswith("fetch:reuse corpus:reuse train:run")
    assert reasons(stale)["fetch"].startswith("STALE, reused unchecked")


def test_only_a_plan_to_be_carried_out_records_that_the_source_did_not_answer(tiny):
    with pytest.raises(StageError, match="has never finished"):
        reserved_plan(tiny.run(), Options(only="corpus"), tiny.store)
    tiny.folder.rename(tiny.folder.with_name("gone"))
    with pytest.raises(SourceError):
        plan(tiny)
    assert not tiny.store.root.exists()
    with pytest.raises(SourceError):
        reserved_plan(tiny.run(), Options(), tiny.store)
    (failure,) = failures(tiny.store, "tiny")
    assert failure.stage == "fetch"
    assert "no such folder" in failure.reason


def test_planning_and_showing_a_plan_import_nothing_heavy():
    import subprocess
    import sys

    names = "('prefect', 'torch', 'pyarrow', 'numpy', 'pandas', 'rich.progress')"
    modules = "flows.cli.main, flows.cli.render, flows.planning.plan"
    script = f"import sys, {modules}; print([m for m in {names}"
    done = subprocess.run(
        [sys.executable, "-c", f"{script} if m in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_plan_to_carry_out_is_made_again_if_a_run_that_it_reuses_was_removed(tiny, monkeypatch):
    make(tiny, "fetch", "corpus")
    corpus = tiny.store.runs("corpus", "tiny").last()
    plans = []

    def slow(run, options, store):
        plans.append(make_plan(run, options, store))
        if len(plans) == 1:
            discard(corpus.folder)
        return plans[-1]

    monkeypatch.setattr(planning, "make_plan", slow)
    final = reserved_plan(tiny.run(), Options(), tiny.store)
    assert actions(plans[0]) == "fetch:reuse corpus:reuse train:run sample:run evaluate:run"
    assert actions(final) == "fetch:reuse corpus:run train:run sample:run evaluate:run"


def test_gc_keeps_what_a_plan_reuses_and_what_a_stage_reads(tiny, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("flows.store.stage.now_stamp", lambda: "2026-01-01T00:00:00+00:00")
        make(tiny, "fetch", "corpus")
    first = [tiny.store.runs(stage, "tiny").last() for stage in ("fetch", "corpus")]
    (tiny.folder / "more.py").write_text("def more(a):\n    return a\n")
    make(tiny, "fetch", "corpus")
    later = datetime.now(UTC) + timedelta(days=90)
    for run in first:
        os.utime(run.folder, (0, 0))
    (tiny.folder / "more.py").unlink()
    limits = Limits(keep_last=1, older_than="0d")
    doomed = choose(tiny.store, limits, later, tomls={}).goes
    assert {one.run for one in doomed} == set(first)
    reserved_plan(tiny.run(), Options(), tiny.store)
    soon = datetime.now(UTC) + timedelta(hours=23)
    assert not choose(tiny.store, limits, soon, tomls={}).goes
    for run in first:
        os.utime(run.folder, (0, 0))
    make(tiny, "train", "fetch", "corpus")
    assert all(time.time() - run.folder.stat().st_mtime < 600 for run in first)
