"""With CHARMILL_SOURCE_ROOTS, no source reads anything outside these folders."""

import os
import subprocess
from pathlib import Path

import pytest

from corpora.errors import SourceError
from corpora.sources import parse_source
from system.errors import SettingsError

REFUSAL = r"is not in a folder of CHARMILL_SOURCE_ROOTS: .*/public$"


def sources(path):
    """Every kind of source that can read a local path."""
    text = path / "text.py"
    return {
        "folder": {"kind": "folder", "path": str(path)},
        "url": {"kind": "url", "urls": [f"file://{text}"]},
        "path of a repository": {"kind": "git", "repositories": [{"url": str(path)}]},
        "URL of a repository": {"kind": "git", "repositories": [{"url": f"file://{path}"}]},
        "URL with a host": {
            "kind": "git",
            "repositories": [{"url": f"file://{str(path).removeprefix('/')}"}],
        },
    }


KINDS = tuple(sources(Path("/any")))


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A public and a private folder, each with a repository; only the public one is allowed."""
    for name in ("public", "private", "public-not"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "text.py").write_text("x = 1\n")
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        subprocess.run(["git", "-C", folder, "add", "."], check=True)
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", folder, *who, "commit", "-qm", "one"], check=True)
    monkeypatch.setenv("CHARMILL_SOURCE_ROOTS", str(tmp_path / "public"))
    return tmp_path


def read(fields, directory):
    source = parse_source(fields)
    resolution = source.resolve()
    directory.mkdir()
    list(source.fetch(resolution, directory))
    return [entry.path for entry in source.open(directory).entries()]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "URL with a host"])
def test_what_is_in_the_roots_is_read(folders, kind):
    paths = read(sources(folders / "public")[kind], folders / "fetched")
    assert "text.py" in paths


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["private", "public-not", "public/../private", "absent"])
def test_nothing_elsewhere_is_read(folders, kind, place):
    with pytest.raises(SourceError, match=REFUSAL):
        read(sources(folders / place)[kind], folders / "fetched")
    assert not (folders / "fetched").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_in_the_roots_leads_nowhere_else(folders, kind):
    (folders / "public" / "link").symlink_to(folders / "private")
    with pytest.raises(SourceError, match=REFUSAL):
        read(sources(folders / "public" / "link")[kind], folders / "fetched")


@pytest.mark.parametrize("link", ["inner/.git", "inner.git"])
def test_a_repository_elsewhere_is_not_found_by_what_git_appends(folders, link):
    (folders / "public" / "inner").mkdir()
    (folders / "public" / link).symlink_to(folders / "private" / ".git")
    for kind in KINDS[2:]:
        with pytest.raises(SourceError, match=REFUSAL):
            parse_source(sources(folders / "public" / "inner")[kind]).resolve()


def test_an_escaped_path_is_read_as_git_reads_it(folders):
    url = f"file://{folders}/public/%2e%2e/private"
    with pytest.raises(SourceError, match=REFUSAL):
        parse_source({"kind": "git", "repositories": [{"url": url}]}).resolve()


def test_a_pinned_download_is_checked_when_it_is_read(folders):
    url = {"url": (folders / "private" / "text.py").as_uri(), "sha256": "0" * 64}
    source = parse_source({"kind": "url", "urls": [url]})
    with pytest.raises(SourceError, match=REFUSAL):
        list(source.fetch(source.resolve(), folders))


def test_without_roots_every_folder_is_read(folders, monkeypatch):
    monkeypatch.delenv("CHARMILL_SOURCE_ROOTS")
    assert "text.py" in read(sources(folders / "private")["folder"], folders / "fetched")


def test_several_roots_are_separated_like_path(folders, monkeypatch):
    both = os.pathsep.join([str(folders / "public"), str(folders / "private"), ""])
    monkeypatch.setenv("CHARMILL_SOURCE_ROOTS", both)
    assert read(sources(folders / "private")["folder"], folders / "fetched")


def test_a_relative_root_is_refused(folders, monkeypatch):
    monkeypatch.setenv("CHARMILL_SOURCE_ROOTS", "public")
    with pytest.raises(SettingsError, match="'public' is not an absolute path"):
        parse_source(sources(folders / "public")["folder"]).resolve()
