"""Failures: stored with the stage, shown by status and index, removed by a success."""

import json

import pytest

from corpora.errors import SourceError
from flows.cli.render import status_table
from flows.errors import StageError
from flows.options import StageName
from flows.reporting.index import INDEX, index_row, renewing_index
from flows.store.status import MAX_CHARACTERS, dataset_state, failures, recording_failure
from tests.flows.reporting.test_reports import publish


def fail(store, error=None, stage: StageName = "fetch"):
    error = error or SourceError("http://h/x: does\n  not answer")
    with pytest.raises(type(error)), recording_failure(store.runs(stage, "tiny")):
        raise error


def test_a_failure_before_any_work_folder_is_told_by_index_and_status(tiny):
    fail(tiny.store)
    (failure,) = failures(tiny.store, "tiny")
    assert (failure.stage, failure.reason) == ("fetch", "http://h/x: does not answer")
    row = index_row(tiny.store, "tiny")
    assert row.state == "failed"
    assert row.notes == [f"fetch failed {failure.when[:16].replace('T', ' ')}: {failure.reason}"]
    states = dataset_state(tiny.store, "tiny")
    assert [state.failure for state in states] == [failure, None, None, None, None]
    json.dumps([state.to_dict() for state in states])
    cells = list(status_table({"tiny": states}).columns[1].cells)
    assert cells == ["- (FAILED: http://h/x: does not answer)"]


def test_the_next_success_removes_the_failure(tiny):
    fail(tiny.store, stage="train")
    publish(tiny.store, stage="train", inputs={})
    assert failures(tiny.store, "tiny") == []
    fail(tiny.store, stage="train")
    tiny.store.runs("train", "tiny").run("aa11").make_latest()
    assert failures(tiny.store, "tiny") == []


def test_a_stage_that_left_its_work_folder_and_its_reason_is_told_once(tiny):
    fail(tiny.store, stage="train")
    tiny.store.runs("train", "tiny").run("bb22").work.mkdir()
    tiny.store.runs("corpus", "tiny").run("bb22").work.mkdir(parents=True)
    notes = index_row(tiny.store, "tiny").notes
    assert len(notes) == 2
    assert notes[0].startswith("train failed ")
    assert notes[1] == "corpus was interrupted"


def test_what_is_no_failure_of_the_stage_leaves_no_trace(tiny):
    with pytest.raises(KeyboardInterrupt), recording_failure(tiny.store.runs("fetch", "tiny")):
        raise KeyboardInterrupt
    with recording_failure(tiny.store.runs("fetch", "tiny")):
        pass
    assert not tiny.store.root.exists()


def test_a_reason_is_one_line_of_bounded_length_with_the_kind_of_a_surprise(tiny):
    fail(tiny.store, RuntimeError("x" * 9999))
    (failure,) = failures(tiny.store, "tiny")
    assert failure.reason.startswith("RuntimeError: xxx")
    assert len(failure.reason) == MAX_CHARACTERS + len(" ...")


def test_an_error_is_not_hidden_by_a_record_that_cannot_be_written(tiny):
    store = tiny.store
    store.root.write_text("no folder")
    fail(store)


def test_a_damaged_record_is_named_and_blocks_no_other_row(tiny):
    fail(tiny.store)
    tiny.store.runs("fetch", "tiny").failure_record.write_text("{")
    with pytest.raises(StageError, match=r"fetch/tiny/\.failed: not the record of a failure"):
        failures(tiny.store, "tiny")
    assert "not the record" in index_row(tiny.store, "tiny").notes[0]


@pytest.mark.parametrize("error", [None, StageError("broken")])
def test_the_index_is_renewed_however_a_run_ends(tiny, error):
    fail(tiny.store)
    if error:
        with pytest.raises(StageError, match="broken"), renewing_index(tiny.store):
            raise error
    else:
        with renewing_index(tiny.store):
            pass
    assert "does not answer" in (tiny.store.root / INDEX).read_text(encoding="utf-8")


def test_an_index_that_cannot_be_written_ends_no_run(tiny):
    store = tiny.store
    store.root.write_text("no folder")
    with renewing_index(store):
        pass
