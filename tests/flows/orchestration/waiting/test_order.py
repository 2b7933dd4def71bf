"""Whose turn it is, without a server."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from flows.orchestration.waiting.order import (
    PASSING,
    PREPARING,
    Candidate,
    Device,
    take_turns,
)

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
NUMBERS = count(1)
FREE = Device(name="training-on-cpu", slots=1, taken=0)
TAKEN = Device(name="training-on-cpu", slots=1, taken=1)


def a_run(dataset=None, minute=0, **changes):
    number = next(NUMBERS)
    work = changes.pop("work", f"work {number}")
    due = (NOON + timedelta(minutes=minute), NOON)
    return Candidate(
        id=UUID(int=number), name=f"run {number}", due=due, work=work, dataset=dataset, **changes
    )


def test_a_free_device_is_given_to_whoever_was_due_first():
    late, early = (a_run(name, m, training="waiting") for name, m in (("a", 5), ("b", 1)))
    turns = take_turns([late, early], [], FREE)
    assert turns.start == [early.id]
    assert turns.hold == {late.id: "waiting for a slot of training-on-cpu"}


def test_as_many_trainings_are_called_as_there_are_slots():
    queue = [a_run(str(n), n, training="waiting") for n in range(5)]
    device = Device(name="gpu", slots=3, taken=1)
    assert take_turns(queue, [], device).start == [queue[0].id, queue[1].id]


def test_no_slots_at_all_hold_every_training():
    run = a_run("a", training="waiting")
    assert not take_turns([run], [], Device(name="gpu", slots=0, taken=0)).start


def test_a_run_that_was_called_counts_before_it_has_taken_its_slot():
    called = a_run("a", training="waiting")
    assert not take_turns([a_run("b", 1, training="waiting")], [called], FREE).start


def test_the_slot_of_a_killed_training_is_not_given_away_before_it_is_released():
    assert not take_turns([a_run("a", training="waiting")], [], TAKEN).start


def test_a_training_is_counted_once_and_not_while_it_is_scored():
    waiting = a_run("b", training="waiting")
    device = Device(name="gpu", slots=2, taken=1)
    assert take_turns([waiting], [a_run("a", training="holding")], device).start
    assert take_turns([waiting], [a_run("a", training="done")], FREE).start


def test_what_needs_no_device_passes_those_that_wait_for_it():
    queue = [a_run(f"{n}", n, training="waiting") for n in range(100)]
    plan = a_run(minute=200)
    assert take_turns([*queue, plan], [a_run("x", training="holding")], TAKEN).start == [plan.id]


def test_few_runs_prepare_at_once_and_few_pass():
    queue = [a_run(f"{n}", n) for n in range(10)] + [a_run(minute=n) for n in range(10)]
    turns = take_turns(queue, [a_run("x", training="holding")], TAKEN)
    started = [run for run in queue if run.id in turns.start]
    assert [run.dataset for run in started] == ["0", "1"] + [None] * PASSING
    assert len(turns.hold) == 20 - PREPARING - PASSING
    assert turns.hold[queue[5].id] == "waiting: 2 other runs are preparing their corpus"


def test_a_process_that_is_about_to_end_still_counts():
    queue = [a_run(f"{n}", n) for n in range(4)]
    assert len(take_turns(queue, [], FREE, leaving=PREPARING - 1).start) == 1


def test_a_dataset_has_one_run_at_a_time_in_the_order_in_which_they_were_due():
    first, second, other = a_run("a", 0), a_run("a", 1), a_run("b", 2)
    turns = take_turns([second, other, first], [], FREE)
    assert turns.start == [first.id, other.id]
    assert turns.hold == {second.id: f"waiting for the run {first.name} of the same dataset"}


def test_a_run_of_a_dataset_waits_for_the_active_one_even_if_that_is_only_scored():
    active = a_run("a", training="done")
    assert not take_turns([a_run("a")], [active], FREE).start


def test_a_schedule_that_is_faster_than_its_runs_has_one_that_waits():
    active = a_run("a", work="same", training="holding")
    hourly = [a_run("a", hour * 60, work="same") for hour in range(1, 6)]
    turns = take_turns(hourly, [active], TAKEN)
    assert list(turns.hold) == [hourly[0].id]
    assert turns.join == dict.fromkeys((run.id for run in hourly[1:]), hourly[0])


def test_a_run_that_differs_is_not_joined():
    active = a_run("a", training="holding")
    turns = take_turns([a_run("a", work="short"), a_run("a", work="long")], [active], TAKEN)
    assert len(turns.hold) == 2
    assert not turns.join


def test_short_runs_of_a_user_are_never_joined():
    assert len(take_turns([a_run(work="plan"), a_run(work="plan")], [], FREE).start) == 2


def test_what_a_schedule_missed_is_made_up_for_once():
    missed = [a_run(None, hour * 60, work="fetch", scheduled=True) for hour in range(72)]
    turns = take_turns(missed, [], FREE)
    assert turns.start == [missed[0].id]
    assert turns.join == dict.fromkeys((run.id for run in missed[1:]), missed[0])


def test_a_run_that_started_others_waits_until_the_last_of_them_has_ended():
    parent = a_run()
    child = a_run("a", parent=str(parent.id))
    assert parent.id in take_turns([parent, child], [], FREE).hold
    assert parent.id in take_turns([parent], [child], FREE).hold
    assert take_turns([parent], [], FREE).start == [parent.id]
