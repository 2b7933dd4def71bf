import json
import os
import re
import resource
import subprocess
import sys
from importlib.metadata import version

import pytest

from corpora import errors as corpora_errors
from corpora.errors import SourceError
from evaluation import errors as evaluation_errors
from evaluation.errors import ScoreError
from flows import errors as flows_errors
from flows.cli import main as cli
from flows.cli.main import EXAMPLES
from flows.errors import RemoteMisuseError, StageError
from flows.store.disk import check_space
from flows.store.runs import Store
from system.errors import CharmillError, SettingsError
from system.settings import documentation
from tests.flows.conftest import Tiny
from tests.flows.planning.test_plan import make
from tests.processes import DEADLINE_SECONDS


def charmill(tiny: Tiny, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=os.environ | tiny.environment() | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def refused(done: subprocess.CompletedProcess) -> str:
    """The one line of an error with exit status 2."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("charmill: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nosuch"], "no dataset 'nosuch'; known: austen"),
        (["run", "tiny", "--only", "bake"], "'bake' is not one of 'fetch', 'corpus', 'train'"),
        (["run", "tiny", "--only", "train"], "fetch has never finished"),
        (["run", "tiny", "--budget", "1"], "none of the forms 90s"),
        (["run", "tiny", "--set", "source.path=/no/such"], "/no/such: no such folder"),
        (["run"], "Missing argument"),
        (["run", "tiny", "--no-such-option"], "No such option"),
        (["bake"], "No such command 'bake'"),
        (["report", "tiny"], "nothing from evaluate yet; make it with `charmill run tiny`"),
        (["sample", "tiny"], "nothing from train yet"),
        (["score", "/no/such", "--language", "c"], "/no/such: no such file or folder"),
        (["score", "/no/such", "--language", "cobol"], "no language 'cobol'; known: python, c"),
        (["status", "nosuch"], "no dataset 'nosuch'"),
        (["explain", "nosuch", "x"], "no dataset 'nosuch'"),
        (["explain", "tiny", "x"], "nothing from corpus yet"),
        (["corpus", "nosuch"], "no dataset 'nosuch'"),
        (["corpus", "tiny"], "not fetched yet; run `charmill run tiny --only fetch` first"),
        (["corpus", "tiny", "--what-if", "train.seed=1"], "a setting of the stage train, not of"),
        (["corpus", "tiny", "--what-if", "max_line=9"], "KEY one of extensions, include, "),
        (["diff", "tiny"], "needs two runs of corpus to compare; there are: none"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_status_2(tiny, arguments, message):
    assert message in refused(charmill(tiny, *arguments))


def test_windows_is_refused_in_one_line_before_anything_else_is_imported():
    script = "import sys; sys.platform = 'win32'; import flows.cli.main"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "use it in WSL" in refused(done)


def test_a_broken_toml_is_one_line_that_names_the_file(tiny):
    tiny.toml.write_text("title = ")
    assert f"{tiny.toml}: not valid TOML" in refused(charmill(tiny, "run", "tiny"))


def test_a_missing_repository_is_one_line(tiny):
    tiny.toml.write_text(
        'title = "x"\nlanguage = "c"\n[corpus]\nextensions = [".c"]\n[source]\nkind = "git"\n'
        '[[source.repositories]]\nurl = "/no/such/repository"\n'
    )
    assert "/no/such/repository" in refused(charmill(tiny, "run", "tiny"))


def test_a_full_disk_is_noticed_before_anything_starts(tiny, monkeypatch, capsys):
    import shutil

    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    for name, value in tiny.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["charmill", "run", "tiny"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "1,000,000 bytes free, at least" in capsys.readouterr().err


def test_a_limit_on_the_size_of_files_is_noticed_before_anything_starts(tiny):
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)); "
        "sys.argv = ['charmill', 'run', 'tiny']; from flows.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited],
        env=os.environ | tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "files of 500,000 bytes at most (ulimit -f), at least 20,000,000" in done.stderr


def test_a_limit_that_prefects_database_has_nearly_reached_is_noticed_too(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.prefect_home.mkdir()
    (store.prefect_home / "prefect.db").write_bytes(bytes(1000))
    (store.prefect_home / "prefect.db-wal").write_bytes(bytes(6_000_000))
    limits = (25_999_999, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits)
    with pytest.raises(StageError, match=r"25,999,999 bytes at most .* at least 26,000,000"):
        check_space(store)
    limits = (26_000_000, resource.RLIM_INFINITY)
    check_space(store)


def test_add_writes_a_dataset_that_can_be_run(tiny, tmp_path):
    done = charmill(tiny, "add", str(tiny.folder), "--ext", ".py", "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"Wrote {tiny.settings.datasets / 'mine.toml'}"
    planned = charmill(tiny, "run", "mine", "--plan")
    assert planned.stderr.count("first run") == 5
    again = charmill(tiny, "add", str(tiny.folder), "--ext", ".py", "--name", "mine")
    assert "the name 'mine' is taken by" in refused(again)


def test_corpus_shows_what_filters_drop_and_what_a_change_would(tiny):
    make(tiny, "fetch")
    done = charmill(tiny, "corpus", "tiny")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\nkept +60 ", done.stdout)
    done = charmill(tiny, "corpus", "tiny", "--what-if", 'extensions=[".c"]')
    assert re.search(r"\nextension +0 +60 +\+60 ", done.stdout)
    assert re.search(r"\nkept +60 +0 +-60 ", done.stdout)
    assert "no corpus can be made with this change: kept 0 of 60 files" in done.stdout
    assert "  code/part0.py: extension, .py\n" in done.stdout
    assert "  ... and 55 more\n" in done.stdout
    done = charmill(tiny, "corpus", "tiny", "--json", "--what-if", "max_bytes=1")
    found = json.loads(done.stdout)
    assert found["now"]["kept"]["files"] == 60
    assert len(found["effects"]["max_bytes=1"]["dropped"]) == 60
    assert not tiny.store.runs("corpus", "tiny").folder.exists()


def test_help_has_examples_lists_run_first_and_documents_every_variable(tiny):
    shown = charmill(tiny, "--help").stdout
    for word in (*documentation(), *EXAMPLES):
        assert word in " ".join(shown.split())
    assert re.search(r"Commands:\n  run ", shown)


def test_version_prints_the_version_of_the_package(tiny):
    assert charmill(tiny, "--version").stdout == f"charmill {version('charmill')}\n"


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("a bug"), KeyError("a bug")])
def test_an_error_that_is_no_users_mistake_keeps_its_traceback(monkeypatch, error):
    def fails(*_args, **_options):
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(type(error), match="a bug"):
        cli.main()


def test_every_error_that_users_can_fix_is_below_the_one_root_and_documented_at_the_head():
    for module in (corpora_errors, evaluation_errors, flows_errors):
        own = [one for one in vars(module).values() if isinstance(one, type)]
        assert len(own) > 1
        for one in own:
            assert issubclass(one, CharmillError)
            assert re.search(rf"\b{one.__name__}$", module.__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize("error", [SourceError, RemoteMisuseError, ScoreError, SettingsError])
def test_any_charmill_error_is_one_line_and_exit_status_2(monkeypatch, capsys, error):
    def fails(*_args, **_options):
        raise error("a\nlong   story")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "charmill: a long story\n"


def test_datasets_lists_those_that_ship_and_the_users(tiny):
    listed = json.loads(charmill(tiny, "datasets", "--json").stdout)
    assert {"python-stdlib", "torch", "tiny"} <= listed.keys()
    assert listed["tiny"]["language"] == "python"
    assert "Tiny functions" in charmill(tiny, "datasets").stdout


def test_a_damaged_toml_is_named_and_hides_no_other_dataset(tiny):
    (tiny.settings.datasets / "broken.toml").write_text("title = ")
    done = charmill(tiny, "datasets")
    assert done.returncode == 2
    assert "Tiny functions" in done.stdout
    assert done.stderr.startswith("charmill: ")
    assert "broken.toml" in done.stderr
    assert done.stderr.count("\n") == 1


def test_score_prints_one_json_object_and_nothing_else(tiny):
    done = charmill(tiny, "score", str(tiny.folder), "--language", "python", "--json", "--per-file")
    result = json.loads(done.stdout)
    assert done.stderr == ""
    assert (result["language"], result["files"]) == ("python", 60)
    assert result["outcomes"] == {"ok": 60, "timeout": 0, "crash": 0, "unreadable": 0}
    assert result["function_parse_rate"]["value"] == 1.0
    assert result["function_parse_rate"]["n"] == 60
    assert len(result["per_file"]) == 60
    assert result["per_file"][0]["parses"] is True


def test_score_tells_text_from_what_is_none(tiny, tmp_path):
    folder = tmp_path / "lua"
    folder.mkdir()
    (folder / "good.lua").write_text("local function f()\n  return {1}\nend\n")
    (folder / "bad.lua").write_text("local function f()\n  return {1)\nend\n")
    (folder / "binary.lua").write_bytes(b"\x00\x01")
    done = charmill(tiny, "score", str(folder), "--language", "lua", "--json", "--per-file")
    result = json.loads(done.stdout)
    assert result["outcomes"]["unreadable"] == 1
    assert result["file_balance_rate"]["value"] == 0.5
    found = {row["path"].rsplit("/", 1)[1]: row["balanced"] for row in result["per_file"]}
    assert found == {"bad.lua": False, "binary.lua": None, "good.lua": True}
