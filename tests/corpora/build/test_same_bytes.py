"""The same files give the same bytes, whatever the environment of the process."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import run_git

PROGRAM = Path(__file__).with_name("corpus_process.py")
MEMORY = Path("/dev/shm")
NAMES = (
    "a.py",
    "B.py",
    "s/caf\u00e9.py",
    "s/\u0130\u0131.py",
    "s/cafe\u0301.py",
    "z/\U0001f600.py",
)
OTHERS = {
    "locale C in ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "locale C.UTF-8": {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0", "PYTHONHASHSEED": "0"},
    "UTF-8 mode": {"LC_ALL": "POSIX", "PYTHONUTF8": "1", "PYTHONHASHSEED": "271828"},
}
Stored = Mapping[str, bytes]


def files() -> dict[bytes, bytes]:
    """A few hundred files: odd names, copies, near-copies, another encoding, binary data."""
    found = {os.fsencode(name): f"{name} = 1\n".encode() for name in NAMES}
    found[b"s/caf\xe9.py"] = b"# d\xe9j\xe0 vu\n"
    found[b"s/\xc3\xa9\xe9.py"] = b"# no name in UTF-8\n"
    for number in range(60):
        # Words that have no characters in common: else all are near-copies of one another.
        words = [sha256(b"%d %d" % (number, place)).hexdigest()[:8] for place in range(60)]
        found[b"n%d.py" % number] = "\n".join(words).encode()
        found[b"m%d.py" % number] = "\n".join([*words[:-1], "other"]).encode()
    return found | {b"copy.py": found[b"n7.py"], b"drop.txt": b"text", b"bad.py": b"a\0\0\0"}


def put(root: Path, order: int) -> Path:
    """Create the files under `root`, forwards or backwards."""
    for name, content in list(files().items())[::order]:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def made(
    kind: str, place: Path, folder: Path, *, workers: int, around: Mapping[str, str]
) -> Stored:
    """Build the corpus in a separate process; all that it stored, and a tar of a folder."""
    subprocess.run(
        [sys.executable, str(PROGRAM), kind, str(place), str(folder), str(workers)],
        env=os.environ | around,
        cwd=folder.anchor if around else None,
        check=True,
    )
    paths = [*folder.glob("corpus/*"), *folder.glob("fetch/*.tar")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def commit(root: Path) -> Path:
    """Make a repository of the files there."""
    run_git(root, "init", "--quiet")
    run_git(root, "add", "--all")
    run_git(root, "commit", "--quiet", "--message", "all")
    return root


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system, where there is one."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def of_folder(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The corpus of a folder, built in the usual environment."""
    place = tmp_path_factory.mktemp("plain")
    return made("folder", put(place / "code", 1), place / "out", workers=1, around={})


@pytest.mark.parametrize("other", OTHERS)
def test_a_folder_gives_the_same_bytes_elsewhere(of_folder: Stored, elsewhere: Path, other: str):
    around = OTHERS[other] | {"TZ": "Pacific/Kiritimati"}
    code = put(elsewhere / "code", -1)
    again = made("folder", code, elsewhere / "out", workers=2, around=around)
    assert len([name for name in of_folder if "documents-" in name]) > 2
    assert again == of_folder


def test_a_repository_gives_the_same_bytes_elsewhere(tmp_path: Path, elsewhere: Path):
    """Objects are loose in one repository and packed in the other; the commits have two dates."""
    first = commit(put(tmp_path / "code", 1))
    second = commit(put(elsewhere / "code", -1))
    run_git(second, "gc", "--quiet")
    around = OTHERS["locale C in ASCII"] | {"TZ": "Pacific/Kiritimati"}
    usual = made("git", first, tmp_path / "out", workers=1, around={})
    assert "corpus/ledger.parquet" in usual
    assert made("git", second, elsewhere / "out", workers=2, around=around) == usual
