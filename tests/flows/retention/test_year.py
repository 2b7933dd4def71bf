"""A year of weekly runs: the store and Prefect's history stay within a bound.

`pytest -m slow -s tests/flows/retention/test_year.py` prints the figures that the documentation
states.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from flows.progress import LogReporter
from flows.retention.choose import size
from flows.retention.collect import collect
from flows.retention.limits import Limits
from flows.stages.corpus import CORPUS
from flows.stages.fetch import FETCH
from flows.store import stage as stage_module
from flows.store.stage import Stage, execute
from system.progress import Progress
from tests.flows.retention.stores import everything

WEEKS = 52
START = datetime.now(UTC)


def made_of(name: str, inputs: tuple[str, ...], kilobytes: int) -> Stage:
    """A stage as long as the real one is slow: it writes as much, from its inputs."""

    def work(context):
        yield Progress.at(0.5, "half")
        text = ",".join(sorted(folder.name for folder in context.inputs.values()))
        (context.directory / "output").write_bytes(text.encode() * (kilobytes * 1000 // len(text)))
        return {}

    return Stage(
        name=name, version=1, inputs=inputs, parameters=lambda _: {}, work=work, resumable=True
    )


STAGES = (
    FETCH,
    CORPUS,
    made_of("train", ("corpus",), 500),
    made_of("sample", ("train",), 100),
    made_of("evaluate", ("fetch", "corpus", "train", "sample"), 300),
)


@pytest.mark.slow
def test_a_year_of_weekly_runs_keeps_five_of_every_stage(tiny, monkeypatch):
    counts, sizes = [], []
    for week in range(WEEKS):
        now = START + timedelta(weeks=week)
        monkeypatch.setattr(stage_module, "now_stamp", now.isoformat)
        (tiny.folder / "week.py").write_text(f"def week{week}(a):\n    return a + {week}\n")
        keys = {}
        for stage in STAGES:
            made = execute(
                stage,
                tiny.run(),
                stage.choose(keys),
                settings=tiny.settings,
                reporter=LogReporter(),
            )
            keys[stage.name] = made.key
        collect(tiny.store, Limits(), now, tomls={"tiny": tiny.toml})
        counts.append(Counter(run.runs.stage for run in everything(tiny.store)))
        sizes.append(size(tiny.store.root))
    assert {number for count in counts[5:] for number in count.values()} == {5}
    assert max(sizes[5:]) < 1.01 * sizes[5]
    assert len([*tiny.store.lock("any").parent.iterdir()]) <= 2
    sys.stdout.write(f"bytes after 1, 5 and {WEEKS} weeks: {sizes[0]}, {sizes[4]}, {sizes[-1]}\n")


FLOWS = """
import json, os, sqlite3, sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from system.settings import Settings
from flows.server.prefect_settings import embed
from flows.server.process import start_embedded_server
settings = Settings()
from flows.store.runs import Store
store = Store(settings.artifacts_root)
start_embedded_server(store.prefect_home, embed(settings))()
from flows.orchestration.corpora_flow import corpora
from flows.orchestration.flows import without_heartbeat
from flows.reporting.history import delete_old_runs
START, weeks, rows = datetime.now(UTC), int(sys.argv[2]), []
for week in range(weeks):
    now = START + timedelta(weeks=week)
    Path(sys.argv[1], "week.py").write_text(f"def week{week}(a): return a + {week}")
    with without_heartbeat():
        corpora(["tiny"])
    path = store.prefect_home / "prefect.db"
    with closing(sqlite3.connect(path, timeout=60)) as database:
        shifted = now.strftime("%Y-%m-%d %H:%M:%S.000000")
        today = (START + timedelta(days=1)).strftime("%Y-%m-%d")
        for column, table in (("end_time", "flow_run"), ("timestamp", "log")):
            database.execute(
                f"UPDATE {table} SET {column} = ? WHERE {column} < ?", (shifted, today)
            )
        database.commit()
    delete_old_runs(store, now - timedelta(days=90))
    with closing(sqlite3.connect(path, timeout=60)) as database:
        tables = ("flow_run", "task_run", "log", "artifact")
        counted = [database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]
    rows.append([*counted, path.stat().st_size])
print(json.dumps(rows))
"""


@pytest.mark.slow
def test_the_history_of_a_year_of_weekly_runs_stays_flat(tiny):
    done = subprocess.run(
        [sys.executable, "-c", FLOWS, str(tiny.folder), "26"],
        env=os.environ | tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    assert {row[0] for row in rows[14:]} == {13}
    for column in range(1, 4):
        late = [row[column] for row in rows[14:]]
        assert max(late) <= 1.3 * min(late)  # without gc: twice as many
    names = "flow runs, task runs, logs, artifacts, bytes"
    sys.stdout.write(f"{names} after 1, 14 and 26 weeks: {rows[0]}, {rows[13]}, {rows[-1]}\n")
