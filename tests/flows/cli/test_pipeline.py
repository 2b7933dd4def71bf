"""The pipeline as a user runs it: embedded Prefect, report, rerun of a stage, a current run."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from flows.reporting.artifacts import MAX_BYTES
from tests.flows.cli.test_main import charmill
from tests.flows.conftest import Tiny


def succeeded(tiny: Tiny, *arguments: str, **environment: str):
    done = charmill(tiny, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done


def prefect_rows(tiny: Tiny, query: str) -> list[tuple]:
    database = tiny.store.prefect_home / "prefect.db"
    with sqlite3.connect(database) as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def without(folder: Path, *packages: str) -> str:
    """A PYTHONPATH on which importing these packages, which takes seconds, is an error."""
    for package in packages:
        (folder / f"{package}.py").write_text("raise RuntimeError('imported for nothing')")
    return os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))


def test_a_dataset_goes_from_nothing_to_a_report_and_stays_current(tiny, tmp_path):
    done = succeeded(tiny, "run", "tiny")
    verdict, *threats, report, advice = done.stdout.strip().splitlines()
    assert threats
    assert all(threat.startswith("Threat: ") for threat in threats)
    assert "the LSTM needs" in verdict
    assert "fewer than the best n-gram" in verdict or "more than the best n-gram" in verdict
    path = report.removeprefix("Report: ")
    assert path.startswith(str(tiny.store.runs("evaluate", "tiny").run("").folder))
    assert advice.startswith("Next: ")

    assert prefect_rows(tiny, "select name, state_type from flow_run") == [
        ("pipeline tiny", "COMPLETED")
    ]
    artifacts = dict(prefect_rows(tiny, "select key, data from artifact order by created"))
    assert list(artifacts) == ["plan-tiny", "corpus-tiny", "report-tiny", "reports"]
    assert artifacts["plan-tiny"].count("first run") == 5
    assert "data:image/png;base64," in artifacts["report-tiny"]
    assert len(artifacts["report-tiny"]) < MAX_BYTES
    key = Path(path).parent.name
    assert f"[tiny](/charmill/tiny/report/{key})" in artifacts["reports"]
    assert f"[The whole report](/charmill/tiny/report/{key})" in artifacts["report-tiny"]
    assert "(/charmill/tiny)" in artifacts["plan-tiny"]
    assert "the LSTM needs" in (tiny.store.root / "index.html").read_text(encoding="utf-8")

    database = tiny.store.prefect_home / "prefect.db"
    before = database.stat().st_mtime_ns
    again = succeeded(tiny, "run", "tiny", PYTHONPATH=without(tmp_path, "prefect", "torch"))
    assert "Everything is current: nothing to run." in again.stderr
    assert again.stderr.count("same input, settings and code as on") == 5
    assert again.stdout.strip().splitlines()[-2] == report
    assert database.stat().st_mtime_ns == before

    tiny.toml.write_text(tiny.toml.read_text().replace("split", "max_bytes = 194\nsplit"))
    only = succeeded(tiny, "run", "tiny", "--only", "corpus")
    assert "max_bytes 1000000 -> 194" in only.stderr
    assert len(tiny.store.runs("corpus", "tiny").keys()) == 2
    assert len(tiny.store.runs("train", "tiny").keys()) == 1
    after = succeeded(tiny, "run", "tiny", "--plan")
    assert "corpus changed" in after.stderr

    explained = succeeded(tiny, "explain", "tiny", "part7.py").stdout
    assert "decision      kept" in explained or "reason        too large" in explained
    found = json.loads(succeeded(tiny, "diff", "tiny", "--json").stdout)
    assert found["kept"][0] == 60 > found["kept"][1]
    assert found["reasons"] == {"too large": [0, 60 - found["kept"][1]]}
    card = (tiny.store.runs("corpus", "tiny").folder / "latest" / "README.md").read_text()
    assert 'data_files: "documents-*.parquet"' in card

    status = json.loads(succeeded(tiny, "status", "tiny", "--json").stdout)
    assert [stage["stage"] for stage in status["tiny"]][2] == "train"
    text = succeeded(tiny, "sample", "tiny", "--prompt", "def ", "--length", "50").stdout
    assert text.startswith("def ")
    assert succeeded(tiny, "report", "tiny").stdout.splitlines() == [verdict, path]


def test_a_mistake_found_while_running_is_one_line_too(tiny):
    dead = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    # Prefect's server is on this machine: a proxy must not be asked for it.
    done = charmill(tiny, "run", "tiny", "--set", "corpus.max_bytes=1", **dead)
    assert done.returncode == 2
    assert "kept 0 of 60 files: 60 too large (corpus.max_bytes)" in done.stderr
    assert "Traceback" not in done.stderr
    status = json.loads(succeeded(tiny, "status", "tiny", "--json").stdout)
    reasons = {stage["stage"]: stage["failure"] for stage in status["tiny"]}
    assert "kept 0 of 60 files: 60 too large (corpus.max_bytes)" in reasons["corpus"]["reason"]
    assert not reasons["fetch"]
    explained = succeeded(tiny, "explain", "tiny", "part7.py").stdout
    assert "reason        too large" in explained
    assert "attempt       corpus failed" in explained
    assert "kept 0 of 60 fil" in (tiny.store.root / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_one_machine_finished_another_one_does_not_do_again(tiny, tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("CHARMILL_REMOTE", f"file://{tmp_path / 'shared'}")
    verdict = succeeded(tiny, "run", "tiny").stdout.strip().splitlines()[0]
    other = Tiny(
        folder=tiny.folder,
        toml=tiny.toml,
        settings=tiny.settings.model_copy(update={"artifacts": tmp_path / "other"}),
    )
    again = succeeded(other, "run", "tiny")
    assert again.stdout.strip().splitlines()[0] == verdict
    assert "started" not in again.stderr
    weights = [
        t.store.runs("train", "tiny").folder / "latest/model.safetensors" for t in (tiny, other)
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()
