"""The copies with which the load test fills a store and a history."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from benchmarks.load.history import CopiedRows, Copy
from benchmarks.load.store import fill_store, finished_runs, newest_reports
from flows.options import STAGE_NAMES
from flows.store.runs import Store
from tests.flows.finished import finish

RUN, STATE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
NEW_RUN, NEW_STATE = RUN.replace("1", "a"), STATE.replace("2", "b")


def test_every_dataset_gets_whole_pipelines_with_true_keys_oldest_first(tmp_path):
    store, before = Store(tmp_path), {}
    for stage in STAGE_NAMES:
        run = store.runs(stage, "tiny").run(f"{stage}1")
        parameters = {} if before else {"found": {"digest": "1"}}
        folder = finish(
            run, inputs=dict(before), parameters=parameters, summary={"bits_per_char": 2.0}
        )
        (folder / "output").write_text(stage)
        run.make_latest()
        before = {stage: run.key}
    fill_store(store, "tiny", ["one", "two"], 12, 365.0)
    assert finished_runs(store) == 5 + 2 * (12 + 4 * 2)
    for stage in STAGE_NAMES:
        runs = store.runs(stage, "two")
        assert all(run.manifest.has_true_key for run in runs.finished())
        assert runs.latest == runs.finished()[-1]
        assert (runs.last().folder / "output").read_text() == stage
    last = store.runs("evaluate", "two").last()
    assert newest_reports(store, "two")["new"] == last.key
    sample = store.runs("sample", "two").run(last.manifest.inputs["sample"])
    assert sample.is_finished


def test_a_copied_row_has_other_ids_an_earlier_time_and_the_other_dataset():
    copy = Copy(dataset="one", deployment="d", before=timedelta(days=2))
    copied = CopiedRows(original="tiny", copy=copy, ids={RUN: NEW_RUN, STATE: NEW_STATE})
    row = {
        "id": UUID(RUN),
        "key": "report-tiny",
        "created": datetime(2026, 11, 28, tzinfo=UTC),
        "related": [{"prefect.resource.id": f"prefect.flow-run.{RUN}", "state": STATE}],
        "flow_id": UUID(int=7),
        "idempotency_key": "once",
    }
    changed = copied(row)
    assert changed.pop("idempotency_key") != "once"
    assert changed == {
        "id": UUID(NEW_RUN),
        "key": "report-one",
        "created": datetime(2026, 11, 26, tzinfo=UTC),
        "related": [{"prefect.resource.id": f"prefect.flow-run.{NEW_RUN}", "state": NEW_STATE}],
        "flow_id": UUID(int=7),
    }
