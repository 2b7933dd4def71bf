"""The form for changes of filters: the real flow, with a server."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.flows.planning.test_plan import make

ASK = """
import os
import sys
from flows.server.prefect_settings import embed
from flows.server.process import start_embedded_server
from flows.store.runs import Store
from system.settings import Settings
embed(Settings())
home = Store(Settings().artifacts_root).prefect_home
start_embedded_server(home, os.environ["PREFECT_API_URL"])()
from flows.errors import OptionError
from flows.orchestration.flows import what_if
what_if("tiny", changes=("text.max_line=30", "max_bytes=1"))
try:
    what_if("tiny", changes=("train.seed=3",))
except OptionError as error:
    print(error)
"""


def prefect_rows(tiny, query):
    with closing(sqlite3.connect(tiny.store.prefect_home / "prefect.db")) as database:
        return database.execute(query).fetchall()


@pytest.mark.slow
def test_a_run_with_a_change_shows_its_effect_as_an_artifact_and_makes_nothing(tiny):
    for number in range(3):
        (tiny.folder / f"wide{number}.py").write_text(f"x{number} = '{'wide ' * 9}'\n")
    make(tiny, "fetch")
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "train.seed is a setting of the stage train, not of the corpus" in done.stdout
    ((key, text),) = prefect_rows(tiny, "select key, data from artifact where type='markdown'")
    assert key == "what-if-tiny"
    assert "| long lines | 0 | 3 | +3 | 0.00 | 0.00 | +0.00 |" in text
    assert "| kept | 63 | 60 | -3 |" in text
    assert "no corpus can be made with this change: kept 0 of 63 files" in text
    assert prefect_rows(tiny, "select name, state_type from flow_run order by created") == [
        ("what-if tiny: text.max_line=30, max_bytes=1", "COMPLETED"),
        ("what-if tiny: train.seed=3", "FAILED"),
    ]
    folders = {path.name for path in tiny.store.root.iterdir()}
    assert folders <= {"fetch", ".prefect", ".locks"}
