from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute


def test_a_training_writes_event_files_where_the_user_wishes(tiny, tmp_path):
    folder = tmp_path / "boards"
    settings = tiny.settings.model_copy(update={"tensorboard": folder})
    run, keys = tiny.run(), {}
    for stage in STAGES[:3]:
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=settings, reporter=LogReporter())
        keys[stage.name] = made.key
    (board,) = folder.iterdir()
    assert board.name == f"tiny-{keys['train']}"
    assert b"bits_per_character/validation" in next(board.iterdir()).read_bytes()
