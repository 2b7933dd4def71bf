"""The learning curve of a training that another process is writing."""

import json
from dataclasses import asdict

from modeling.training.learning_curve import LINES, MAX_LIVE_BYTES, MetricsLog, read_lines
from modeling.training.progress import CurvePoint


def point(step: int) -> CurvePoint:
    return CurvePoint(
        step=step,
        characters=100 * step,
        seconds=1.0,
        fraction=0.5,
        train_bits=3.0,
        validation_bits=None,
        learning_rate=0.1,
        gradient_norm=1.0,
        characters_per_second=9.0,
    )


def test_a_training_that_has_not_begun_has_no_points(tmp_path):
    assert read_lines(tmp_path) == []


def test_points_are_read_up_to_a_line_that_is_being_written(tmp_path):
    log = MetricsLog(tmp_path)
    log.append(point(1))
    log.append(point(2))
    with (tmp_path / LINES).open("a") as file:
        file.write('{"step": 3, "cha')
    assert read_lines(tmp_path) == [point(1), point(2)]


def test_only_the_end_of_an_endless_curve_is_read(tmp_path):
    line = json.dumps(asdict(point(1))) + "\n"
    number = MAX_LIVE_BYTES // len(line) + 10
    (tmp_path / LINES).write_text(line * number + json.dumps(asdict(point(2))) + "\n")
    found = read_lines(tmp_path)
    assert 0 < len(found) < number
    assert found[-1] == point(2)
