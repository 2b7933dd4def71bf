import tarfile
import zipfile

import pytest

from benchmarks.gpu.luggage import DEVELOPMENT, PRESENT, pack, unpack, wanted


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (
            "some/__init__.py",
            "some/tests/test_it.py",
            "some/testing.py",
            "some-1.dist-info/METADATA",
            "some-1.data/purelib/other/__init__.py",
            "some-1.data/scripts/some",
        ):
            archive.writestr(name, f"# {name}\n")
    return path


def test_what_the_machine_has_and_what_only_developers_need_stays_at_home():
    lock = ["# made by", "torch==2.13.0", "ruff==0.17.6", "typing_extensions==4.16", "xxhash==3.5"]
    assert wanted(lock, PRESENT | DEVELOPMENT) == ["typing_extensions==4.16", "xxhash==3.5"]
    assert wanted(lock, frozenset({"typing-extensions"}))[-1] == "xxhash==3.5"


def test_wheels_are_laid_as_an_installation_would_lay_them_without_tests(tmp_path, wheel):
    site = tmp_path / "site"
    (site / "of an earlier run").mkdir(parents=True)
    unpack([wheel], site)
    files = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert files == {
        "some/__init__.py",
        "some/testing.py",
        "some-1.dist-info/METADATA",
        "other/__init__.py",
    }
    with tarfile.open(pack(site)) as archive:
        assert "site/some/testing.py" in archive.getnames()
