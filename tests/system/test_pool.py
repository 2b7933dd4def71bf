import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from system.pool import ProcessPool, ThreadPool, in_order
from tests.processes import alive, until


def square(number):
    time.sleep(0.01 * (number % 3))
    return number * number, os.getpid()


def fail(number):
    raise ValueError(f"no {number}")


def test_results_come_in_the_order_of_the_tasks_from_several_processes():
    results = list(in_order(square, range(20), workers=2))
    assert [value for value, _ in results] == [number * number for number in range(20)]
    assert os.getpid() not in {pid for _, pid in results}


def test_one_worker_is_this_process():
    assert list(in_order(square, [3], workers=1)) == [(9, os.getpid())]


def test_tasks_are_drawn_as_they_are_needed():
    drawn = []

    def tasks():
        for number in range(50):
            drawn.append(number)
            yield number

    results = in_order(square, tasks(), workers=2)
    next(results)
    assert len(drawn) <= 5
    results.close()


def test_an_error_in_a_worker_is_raised_here():
    with pytest.raises(ValueError, match="no 1"):
        list(in_order(fail, [1, 2], workers=2))


def test_workers_die_with_their_parent(tmp_path):
    script = (
        "import os, time, pathlib, sys\n"
        "from system.pool import in_order\n"
        "from tests.system.test_pool import note_and_sleep\n"
        "if __name__ == '__main__':\n"
        "    list(in_order(note_and_sleep, [sys.argv[1]] * 2, workers=2))\n"
    )
    program = tmp_path / "parent.py"
    program.write_text(script)
    folder = tmp_path / "pids"
    folder.mkdir()
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, str(program), str(folder)], env=os.environ | {"PYTHONPATH": root}
    )
    until(lambda: len(list(folder.iterdir())) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    pids = {int(path.name) for path in folder.iterdir()}
    until(lambda: not alive(pids))


def note_and_sleep(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(10_000)


def die_once(place):
    """Kill this worker, unless the place is marked already."""
    mark = Path(place)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def test_what_a_killed_worker_was_doing_is_done_again_in_order(tmp_path):
    places = [str(tmp_path / str(number)) for number in range(6)]
    for place in places[:2] + places[3:]:
        Path(place).touch()
    with ProcessPool(2) as pool:
        done = list(pool.in_order(die_once, places))
        assert list(pool.in_order(square, [3, 4]))[1][0] == 16
    assert len(done) == 6
    assert None not in done


def die(_task):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_kills_every_worker_is_an_error():
    with ProcessPool(2) as pool, pytest.raises(BrokenProcessPool):
        list(pool.in_order(die, [1]))


def test_threads_give_results_in_order_too():
    assert [value for value, _ in ThreadPool(3).in_order(square, range(9))] == [
        number * number for number in range(9)
    ]
