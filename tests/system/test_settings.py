import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from system.errors import SettingsError
from system.settings import Settings, documentation, variable

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "corpora", "modeling", "evaluation", "system")
READING = re.compile(r"environ|getenv")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for name in documentation():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CHARMILL_PROCESSES", "abc", "CHARMILL_PROCESSES=abc: Input should be a valid integer"),
        ("CHARMILL_PROCESSES", "0", "CHARMILL_PROCESSES=0: Input should be greater than or equal"),
        ("CHARMILL_NATIVE", "maybe", "CHARMILL_NATIVE=maybe: Input should be a valid boolean"),
        ("CHARMILL_DEVICE", "tpu", "CHARMILL_DEVICE=tpu: unknown device 'tpu'; known: auto, cpu"),
        ("CHARMILL_DEVICE", "cuda:x", "CHARMILL_DEVICE=cuda:x: unknown device"),
        ("CHARMILL_ARTIFACTS", "/dev/null", "CHARMILL_ARTIFACTS=/dev/null: /dev/null is not a fol"),
        ("CHARMILL_ARTIFACTS", "/dev/null/x", "CHARMILL_ARTIFACTS=/dev/null/x: /dev/null is not"),
        ("CHARMILL_DATASETS", "/dev/null", "CHARMILL_DATASETS=/dev/null: /dev/null is not a folde"),
        ("CHARMILL_STATE", "/dev/null", "CHARMILL_STATE=/dev/null: /dev/null is not a folder"),
        ("CHARMILL_TENSORBOARD", "/dev/null", "CHARMILL_TENSORBOARD=/dev/null: /dev/null is not"),
        ("CHARMILL_GITHUB_API", "nonsense", "CHARMILL_GITHUB_API=nonsense: expected https://host"),
        ("CHARMILL_GITHUB_API", "ftp://x", "CHARMILL_GITHUB_API=ftp://x: expected https://host"),
    ],
)
def test_an_invalid_variable_is_named_with_its_value(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{message}"):
        Settings()


@pytest.mark.parametrize("name", ["github_api", "youtube_endpoint"])
def test_no_key_is_sent_unencrypted_to_another_machine(name):
    for address in ("https://example.org/", "http://127.0.0.1:1/", "http://localhost/"):
        assert getattr(Settings(**{name: address}), name) == address
    for address in ("http://example.org/", "ftp://127.0.0.1/", "http://127.0.0.1.x.y/", "youtube"):
        with pytest.raises(SettingsError, match="expected https://"):
            Settings(**{name: address})


def test_what_is_shown_of_an_invalid_variable_is_no_password(monkeypatch):
    monkeypatch.setenv("CHARMILL_GITHUB_API", "ftp://user:c4n4ry@host/")
    with pytest.raises(SettingsError) as refusal:
        Settings()
    assert "c4n4ry" not in str(refusal.value)
    assert "for GitHub Enterprise" in str(refusal.value)


def test_an_empty_variable_counts_as_unset(monkeypatch):
    defaults = Settings()
    for name in documentation():
        monkeypatch.setenv(name, "")
    assert Settings() == defaults


def test_every_variable_is_read_and_no_secret_is_shown(monkeypatch):
    values = {name: f"/value/{name}" for name in documentation()}
    values |= {"CHARMILL_PROCESSES": "3", "CHARMILL_NATIVE": "0", "CHARMILL_DEVICE": "cuda:3"}
    values["CHARMILL_PAGES"] = "1"
    for name in ("CHARMILL_GITHUB_API", "CHARMILL_YOUTUBE_ENDPOINT"):
        values[name] = f"https://{name}.example.org/"
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.processes, settings.native, settings.pages) == (3, False, True)
    for field in Settings.model_fields:
        given = getattr(settings, field)
        if hasattr(given, "get_secret_value"):
            given = given.get_secret_value()
        assert str(given) in (values[variable(field)], "3", "False", "True")
    for name in ("CHARMILL_YOUTUBE_KEY", "CHARMILL_GITHUB_TOKEN", "GITHUB_TOKEN"):
        assert f"'/value/{name}'" not in repr(settings)


def test_a_home_folder_that_does_not_exist_is_one_clear_line():
    with pytest.raises(SettingsError, match=r"^~no-such-user/x: .*; set CHARMILL_ARTIFACTS to a"):
        _ = Settings(artifacts=Path("~no-such-user/x")).artifacts_root


def test_the_state_folder_is_charmills_own_or_the_platforms(monkeypatch, tmp_path):
    assert Settings().state_folder == Path.home() / ".local/state/charmill"
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert Settings().state_folder == Path("/x/charmill")
    monkeypatch.setenv("CHARMILL_STATE", str(tmp_path))
    assert Settings().state_folder == tmp_path


def test_every_variable_has_a_description():
    for name, text in documentation().items():
        assert len(text) > 20, name
        assert not text.endswith(".")


def test_no_other_module_reads_our_variables():
    for path in (path for name in PACKAGES for path in (ROOT / name).rglob("*.py")):
        if path == ROOT / "system/settings.py":
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        read = [line for line in lines if READING.search(line)]
        assert not [line for line in read if "CHARMILL" in line or "GITHUB_TOKEN" in line], path
        names = [line for line in lines if re.match(r'[A-Z_]+ = "(CHARMILL_|GITHUB_TOKEN)', line)]
        assert not names, path


def test_every_variable_that_is_mentioned_exists():
    own = {"CHARMILL_LOGIN", "CHARMILL_DATABASE_PASSWORD"}  # of deploy/compose.yaml
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.yaml", "*.toml", "deploy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in tracked.stdout.splitlines():
        text = (ROOT / name).read_text(encoding="utf-8")
        found = set(re.findall(r"\bCHARMILL_[A-Z_]*[A-Z]\b", text))
        assert found <= {*documentation(), *own}, name


def test_the_command_line_names_the_variable_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "datasets"],
        env=os.environ | {"CHARMILL_PROCESSES": "abc"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("charmill: CHARMILL_PROCESSES=abc: ")
    assert done.stderr.count("\n") == 1


def test_a_file_in_place_of_the_artifacts_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for artifacts in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match="/file is not a folder"):
            _ = Settings(artifacts=artifacts).artifacts_root
    with pytest.raises(SettingsError, match="File name too long"):
        _ = Settings(artifacts=tmp_path / ("x" * 300)).artifacts_root
