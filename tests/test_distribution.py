"""What is distributed: a wheel with all that the packages read at run time, and nothing else."""

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "corpora", "modeling", "evaluation", "system")
NO_CHECKOUT = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}


def tracked(*folders: str) -> set[str]:
    """Files of the tree, new ones included, without those that git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}


def included(builder: type[WheelBuilder] | type[SdistBuilder]) -> set[str]:
    """What a build would pack, by its path in the archive."""
    return {one.distribution_path for one in builder(str(ROOT)).recurse_included_files()}


def test_the_wheel_has_every_file_of_the_packages_and_no_other():
    assert included(WheelBuilder) == tracked(*PACKAGES)


def test_datasets_templates_and_c_sources_are_among_them():
    suffixes = {Path(name).suffix for name in included(WheelBuilder)}
    assert suffixes >= {".py", ".toml", ".j2", ".css", ".c", ".h", ".typed"}


def test_the_sdist_has_what_the_wheel_is_built_from_and_nothing_that_is_not_tracked():
    packed = included(SdistBuilder)
    assert packed >= tracked(*PACKAGES, "tests", "docs", "CHANGELOG.md")
    assert packed <= tracked()
    assert "artifacts" not in {name.partition("/")[0] for name in packed}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and an sdist, built."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    return folder


def build(source: Path, folder: Path, *flags: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder), *flags]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


def wheel_in(folder: Path) -> Path:
    return next(folder.glob("*.whl"))


@pytest.mark.slow  # builds three archives
def test_a_wheel_made_from_the_sdist_is_the_same(archives, tmp_path):
    with tarfile.open(next(archives.glob("*.tar.gz"))) as tar:
        tar.extractall(tmp_path, filter="data")
    build(next(tmp_path.iterdir()), tmp_path / "again", "--target", "wheel")
    with (
        zipfile.ZipFile(wheel_in(archives)) as one,
        zipfile.ZipFile(wheel_in(tmp_path / "again")) as other,
    ):
        contents = {name: one.read(name) for name in one.namelist()}
        assert contents == {name: other.read(name) for name in other.namelist()}
    assert {name.split("/")[0] for name in contents} == {*PACKAGES, "charmill-0.1.0.dist-info"}


@pytest.fixture(scope="module")
def installed(archives, tmp_path_factory) -> Path:
    """The programs of an environment that has the wheel, and nothing of the checkout."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True)
    pins = ROOT / "requirements.lock"
    flags = ["--quiet", "--disable-pip-version-check", "--no-compile", "--constraint", str(pins)]
    done = subprocess.run(
        [home / "bin/python", "-m", "pip", "install", *flags, wheel_in(archives)],
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
    )
    if re.search(r"Failed to establish|Temporary failure|No matching distribution", done.stderr):
        pytest.skip(f"no package registry: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return home / "bin"


def outside(**more: str) -> dict[str, str]:
    """The environment of a shell that knows nothing of the checkout."""
    return {name: text for name, text in os.environ.items() if name not in NO_CHECKOUT} | more


def charmill(installed: Path, folder: Path, *arguments: str) -> str:
    """Run the installed command in a folder; returns what it prints."""
    done = subprocess.run(
        [installed / "charmill", *arguments],
        cwd=folder,
        env=outside(HOME=str(folder / "home")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow  # installs 150 packages, PyTorch among them
def test_an_installed_charmill_runs_in_an_empty_folder(installed, tmp_path):
    (tmp_path / "home").mkdir()
    assert "Commands:\n  run " in charmill(installed, tmp_path, "--help")
    shown = json.loads(charmill(installed, tmp_path, "datasets", "--json"))
    assert shown.keys() == {path.stem for path in (ROOT / "corpora/datasets").glob("*.toml")}
    small = ("corpus.sample_bytes=200000", "sample.samples=2", "sample.length=300")
    settings = [part for one in small for part in ("--set", one)]
    printed = charmill(
        installed, tmp_path, "run", "python-stdlib", "--budget", "5kchars", *settings
    )
    report = Path(re.findall(r"^Report: (.*)$", printed, re.MULTILINE)[0])
    assert report.is_relative_to(tmp_path / "artifacts")
    assert "<h1" in report.read_text(encoding="utf-8")
    assert str(ROOT) not in printed
    assert "nothing to run" in charmill(
        installed, tmp_path, "run", "python-stdlib", "--budget", "5kchars", *settings
    )
