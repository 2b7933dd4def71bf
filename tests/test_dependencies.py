"""The page on dependencies agrees with the lock and with the installed packages."""

import re
from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.version import Version

from tests.corpora.licenses.texts import MIT
from tests.dependencies import (
    BLOCK,
    COPYLEFT,
    PAGE,
    READ_BY_HAND,
    license_of,
    licenses,
    locked,
    statement,
    table,
)


class Package(Distribution):
    """A package on disk, of a folder `.dist-info` with the fields and the licence files given."""

    def __init__(self, folder: Path, *, licence_text: str = "", **fields: str) -> None:
        self.folder = folder / "thing-1.dist-info"
        self.folder.mkdir()
        message = Message()
        for name, value in {"Name": "thing", **fields}.items():
            message[name.replace("_", "-")] = value
        (self.folder / "METADATA").write_text(message.as_string(), encoding="utf-8")
        (self.folder / "LICENSE").write_text(licence_text, encoding="utf-8")
        (self.folder / "RECORD").write_text("thing-1.dist-info/LICENSE,,\n", encoding="utf-8")

    def read_text(self, filename: str) -> str | None:
        path = self.folder / filename
        return path.read_text(encoding="utf-8") if path.exists() else None

    def locate_file(self, path: object) -> Path:
        return self.folder.parent / str(path)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def rows(section: str) -> list[list[str]]:
    """The cells of the tables in a section, without the heads."""
    lines = re.findall(r"^\| (?!package)(.*) \|$", section, re.MULTILINE)
    return [line.split(" | ") for line in lines]


def section(page: str, heading: str) -> str:
    found = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_table_is_that_of_the_lock_and_of_the_installed_packages(page):
    block = BLOCK.search(page)
    assert block is not None
    assert block[0] == table(), "stale: python -m tests.dependencies"


def test_no_package_is_installed_in_another_version_than_the_lock_names():
    installed = {name: distribution(name).version.partition("+")[0] for name in locked()}
    assert installed == locked()


def test_every_copyleft_licence_is_explained(page):
    explained = {name for cells in rows(section(page, "Copyleft")) for name in cells[0].split(", ")}
    copyleft = {name for name, license_ in licenses().items() if COPYLEFT.search(license_)}
    assert explained == copyleft


def test_no_locked_version_is_older_than_a_fix_on_the_page(page):
    fixes = rows(section(page, "Known vulnerabilities"))
    assert len(fixes) > 20
    pins = locked()
    assert [name for name, _, fix in fixes if Version(pins[name]) < Version(fix)] == []


def test_what_was_read_by_hand_is_still_what_the_packages_state():
    stated = {(name, statement(distribution(name))) for name, _ in READ_BY_HAND}
    assert stated == READ_BY_HAND.keys()


def test_a_stated_expression_counts_before_files_and_older_fields(tmp_path):
    package = Package(
        tmp_path, License_Expression="ISC OR MIT", License="BSD-3-Clause", licence_text=MIT
    )
    assert license_of(package) == "ISC OR MIT"


def test_a_name_that_spdx_does_not_know_gives_way_to_the_licence_file(tmp_path):
    assert license_of(Package(tmp_path, License="Some licence", licence_text=MIT)) == "MIT"


def test_a_licence_that_nobody_recognises_is_shown_as_stated(tmp_path):
    package = Package(tmp_path, Classifier="License :: OSI Approved :: Odd License")
    assert license_of(package) == "Odd License"


def test_a_package_that_states_something_new_is_no_longer_believed_to_be_what_it_was(tmp_path):
    package = Package(tmp_path, Name="scipy", License_Expression="GPL-3.0-only")
    assert license_of(package) == "GPL-3.0-only"
