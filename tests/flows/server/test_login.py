"""The file of the login, and what counts as knowing it."""

import base64
import errno
import fcntl
import os
import subprocess
import sys

import pytest

from flows.errors import StageError
from flows.server import prefect_settings
from flows.server.login import Login, login_url, new_login, renew_login, stored_login
from flows.server.prefect_settings import own_home
from system.errors import SettingsError
from system.settings import Settings


def test_the_login_is_generated_once_and_readable_by_its_owner_alone(tmp_path):
    login = stored_login(tmp_path)
    assert stored_login(tmp_path) == login
    assert (tmp_path / "login").stat().st_mode & 0o777 == 0o600
    assert len(login.password) == 43
    assert stored_login(tmp_path) != new_login() != new_login()


def test_a_home_of_another_account_is_refused(tmp_path, monkeypatch):
    settings = Settings(artifacts=tmp_path)
    assert own_home(settings).stat().st_mode & 0o777 == 0o700
    stranger = (tmp_path / ".prefect").stat().st_uid + 1
    monkeypatch.setattr(prefect_settings, "ROOT", stranger)
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(SettingsError, match=r"\.prefect: belongs to another account"):
        own_home(settings)


def test_starts_at_the_same_time_get_the_same_login(tmp_path):
    code = "import sys, pathlib; from flows.server.login import stored_login; "
    code += f"print(stored_login(pathlib.Path({str(tmp_path)!r})).secret)"
    starts = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({start.communicate(timeout=300)[0] for start in starts}) == 1
    assert all(start.returncode == 0 for start in starts)


def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch):
    def refuse(*_args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StageError, match=r"cannot lock files \(.*set CHARMILL_ARTIFACTS to a"):
        stored_login(tmp_path)


def test_a_new_login_ends_every_session(tmp_path):
    before = stored_login(tmp_path)
    renew_login(tmp_path)
    after = stored_login(tmp_path)
    assert not after.is_session(before.session)
    assert not after.is_password(before.password)


def test_a_file_that_others_may_read_is_refused(tmp_path):
    stored_login(tmp_path)
    (tmp_path / "login").chmod(0o640)
    with pytest.raises(SettingsError, match="other accounts may know this login"):
        stored_login(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_account_is_refused(tmp_path):
    stored_login(tmp_path)
    os.chown(tmp_path / "login", 65534, 65534)
    with pytest.raises(SettingsError, match="its owner or mode is wrong"):
        stored_login(tmp_path)


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("charmill:known\n")
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "login").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="cannot be read as the login"):
        stored_login(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00", b"charmill:a\nb"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "login").write_bytes(content)
    (tmp_path / "login").chmod(0o600)
    with pytest.raises(SettingsError, match="is damaged; delete the file"):
        stored_login(tmp_path)


def test_the_secret_is_not_part_of_what_is_printed():
    assert "secret" not in repr(Login("user:secret"))


def test_only_the_password_is_the_password():
    login = Login("user:se:cret")
    assert login.is_password("se:cret")
    assert login.is_password("user:se:cret")
    for wrong in ("", "user", "user:", "cret", "se:cret ", "SE:CRET", "\udcff", login.session):
        assert not login.is_password(wrong)
    assert login_url("http://a", Login("user:a b#%")) == "http://a/login#a%20b%23%25"


def test_only_the_whole_secret_is_basic_authentication():
    login = Login("user:secret")

    def encoded(text):
        return base64.b64encode(text.encode()).decode()

    assert login.is_basic(f"Basic {encoded('user:secret')}")
    assert login.is_basic(f"basic {encoded('user:secret')}")
    for wrong in ("user:", "user:secre", "user:secret2", ":secret", "", "é"):
        assert not login.is_basic(f"Basic {encoded(wrong)}")
    for header in ("", "Basic", "Basic !", f"Bearer {encoded('user:secret')}", "Basic user:secret"):
        assert not login.is_basic(header)
