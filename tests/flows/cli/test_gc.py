import io
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.cli import main as cli
from flows.cli.retention import amount, removable
from flows.store.runs import WORK, Store
from tests.flows.reporting.test_history import TABLES, add, ids, opened
from tests.flows.retention.stores import NOW, chain, everything, names


class Terminal(io.StringIO):
    """A terminal on which the user has typed something."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def store(tmp_path, monkeypatch, tiny):
    """Three chains of runs, of which the last is `latest`, made long before today."""
    for name, value in tiny.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    age = (datetime.now(UTC) - NOW).days
    for number in range(3):
        chain(tiny.store, f"{number}", days=300 - age - number, latest=True)
    return tiny.store


def charmill(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["charmill", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def count(store: Store) -> int:
    return len(everything(store))


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--dry-run", "--yes"], ["--json"]])
def test_nothing_is_removed_without_consent(store, monkeypatch, capsys, options):
    before = sorted(store.root.rglob("*"))
    assert charmill(monkeypatch, "gc", "--keep-last", "1", *options) == 0
    assert [path for path in sorted(store.root.rglob("*")) if ".locks" not in path.parts] == before
    shown = capsys.readouterr().out
    assert "0e" in shown
    assert "latest" in shown
    if "--json" in options:
        assert json.loads(shown)["removed"] is None
    else:
        assert re.search(r"^10 old runs, 1\d\.\d kB can go\.$", shown, re.MULTILINE)
        assert "Nothing was removed" in shown


def test_a_terminal_is_asked(store, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert charmill(monkeypatch, "gc", "--keep-last", "2") == 130
    assert count(store) == 15
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert charmill(monkeypatch, "gc", "--keep-last", "2") == 0
    assert re.search(r"Removed: 5 old runs, \d\.\d kB\.\n$", capsys.readouterr().out)
    assert count(store) == 10


def test_what_the_preview_shows_is_what_goes(store, monkeypatch, capsys):
    arguments = ("gc", "--keep-last", "1", "--json")
    assert charmill(monkeypatch, *arguments) == 0
    preview = json.loads(capsys.readouterr().out)
    assert charmill(monkeypatch, *arguments, "--yes") == 0
    done = json.loads(capsys.readouterr().out)
    assert done["removed"] == done["goes"] == preview["goes"]
    assert {one["key"] for one in done["kept"]} == names_of(everything(store))
    assert charmill(monkeypatch, *arguments, "--yes") == 0
    assert json.loads(capsys.readouterr().out)["goes"] == []


def names_of(runs) -> set[str]:
    return {run.key for run in runs}


def test_only_the_named_datasets_are_cleaned(store, monkeypatch):
    age = (datetime.now(UTC) - NOW).days
    for number in range(2):
        chain(store, f"{number}", days=300 - age - number, dataset="other", latest=True)
    assert charmill(monkeypatch, "gc", "other", "--keep-last", "1", "--yes") == 0
    assert {run.runs.dataset for run in everything(store)} == {"tiny", "other"}
    assert count(store) == 20


def test_a_pinned_report_survives_until_it_is_unpinned(store, monkeypatch, capsys):
    assert charmill(monkeypatch, "pin", "tiny", "0") == 0
    assert capsys.readouterr().out == "evaluate of tiny: pinned: 0e\n"
    assert charmill(monkeypatch, "gc", "--keep-last", "1", "--yes") == 0
    assert names_of(everything(store)) == {f"{n}{stage}" for n in (0, 2) for stage in "fctse"}
    assert "needed by evaluate of tiny, 0e: pinned" in capsys.readouterr().out
    assert charmill(monkeypatch, "pin", "tiny", "0", "--remove") == 0
    assert charmill(monkeypatch, "gc", "--keep-last", "1", "--yes") == 0
    assert names_of(everything(store)) == {f"2{stage}" for stage in "fctse"}


def test_old_work_folders_go_too(store, monkeypatch, capsys):
    work = store.runs("train", "tiny").folder / f"{WORK}old"
    work.mkdir()
    (work / "weights").write_bytes(b"x" * 5000)
    for path in (work / "weights", work):
        os.utime(path, (0, 0))
    assert charmill(monkeypatch, "gc", "--yes") == 0
    shown = capsys.readouterr().out
    assert f"interrupted or damaged: {work}, 5.0 kB" in shown
    assert "Removed: 0 old runs, 1 leftover folder" in shown
    assert not work.exists()


def test_a_remote_store_is_left_alone_and_that_is_shown(store, monkeypatch, tmp_path, capsys):
    remote = tmp_path / "remote"
    remote.mkdir()
    (remote / "run.json").write_text("{}")
    monkeypatch.setenv("CHARMILL_REMOTE", remote.as_uri())
    assert charmill(monkeypatch, "gc", "--keep-last", "1", "--yes") == 0
    assert f"Nothing is removed from {remote.as_uri()}." in capsys.readouterr().err
    assert [*remote.iterdir()] == [remote / "run.json"]


def test_old_flow_runs_are_counted_first_and_then_removed(store, monkeypatch, capsys):
    store.prefect_home.mkdir()
    with opened(store) as database:
        database.executescript(TABLES)
        for number in range(3):
            add(database, f"run{number}", 200)
        database.commit()
    assert charmill(monkeypatch, "gc", "tiny") == 0
    assert "history" not in capsys.readouterr().out, "belongs to all datasets"
    assert charmill(monkeypatch, "gc") == 0
    assert "3 entries of the history can go." in capsys.readouterr().out
    assert charmill(monkeypatch, "gc", "--yes") == 0
    assert "Removed: 3 entries of the history.\n" in capsys.readouterr().out
    assert ids(store, "flow_run") == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gc", "nosuch"], "no dataset 'nosuch'; known: "),
        (["gc", "--older-than", "30"], "--older-than 30: expected an age as 12h, 30d, 8w or 1y"),
        (["gc", "--history", "soon"], "--history soon: expected an age"),
        (["gc", "--max-size", "20G"], "--max-size 20G: expected a size as 500MB"),
        (["gc", "--keep-last", "0"], "'--keep-last': Input should be greater"),
        (["pin", "tiny", "zz"], "no run of evaluate with a key that starts with 'zz'"),
        (["pin", "nosuch"], "nosuch: nothing from evaluate yet"),
    ],
)
def test_a_users_mistake_is_one_line(store, monkeypatch, capsys, arguments, message):
    assert charmill(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err
    assert count(store) == 15


def test_status_names_what_could_go(store, monkeypatch, capsys):
    age = (datetime.now(UTC) - NOW).days
    for number in range(3, 6):
        chain(store, f"{number}", days=100 - age, latest=True)
    assert charmill(monkeypatch, "status") == 0
    shown = capsys.readouterr().out
    assert re.search(r"^15 old runs, \d+\.\d kB could go: charmill gc\n$", shown, re.MULTILINE)
    assert charmill(monkeypatch, "gc", "--yes") == 0
    capsys.readouterr()
    assert charmill(monkeypatch, "status", "tiny") == 0
    assert "could go" not in capsys.readouterr().out


def test_a_store_that_cannot_be_read_does_not_break_the_status(store, tmp_path):
    assert removable(store, {"tiny": Path(tmp_path / "gone.toml")}, ["tiny"]) == ""


def test_sizes_are_shown_in_units_that_fit():
    shown = [amount(size) for size in (0, 999, 1000, 3_140_000, 2 * 10**10, 5 * 10**15)]
    assert shown == ["0 B", "999 B", "1.0 kB", "3.1 MB", "20.0 GB", "5000.0 TB"]
    assert names([]) == set()
