"""The texts that everybody is trained on: one of plays, one of Python, one of C."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.quality import Texts, load
from benchmarks.real_corpora import TrialError, charmill, missing
from flows.store.runs import Store
from modeling.inference.dynamic_evaluation import first_characters
from system.files import write_whole

SHAKESPEARE = ("karpathy/char-rnn", "data/tinyshakespeare/input.txt")
LINUX_BYTES = 5_000_000
DESCRIPTIONS: Mapping[str, str] = {
    "tinyshakespeare": "1.1 MB of plays; the last tenth is held out",
    "python-stdlib": "the dataset of that name, whole",
    "linux-kernel-dir": f"a sample of {LINUX_BYTES / 1e6:g} MB of that dataset's C",
}
NAMES = tuple(DESCRIPTIONS)
SETTINGS = {"linux-kernel-dir": ("--set", f"corpus.sample_bytes={LINUX_BYTES}")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Makes the texts, once.

    Attributes:
        folder: for what is made.
        mirrors, git_config: as in benchmarks.real_corpora.
    """

    folder: Path
    mirrors: Path
    git_config: Path

    def place(self, name: str) -> Path:
        """Path of a text file, or folder of a corpus; it is made if it is not there.

        Raises:
            TrialError: if it cannot be made here.
        """
        return self._plays(name) if name == "tinyshakespeare" else self._corpus(name)

    def texts(self, name: str, held_out: int) -> Texts:
        """A text with its first `held_out` characters that are held out."""
        texts = load(self.place(name))
        return replace(texts, name=name, test=first_characters(texts.test, held_out))

    def _plays(self, name: str) -> Path:
        path = self.folder / f"{name}.txt"
        if not path.exists():
            repository, file = SHAKESPEARE
            write_whole(path, shown(self.mirrors, repository, file), concurrent=True)
        return path

    def _corpus(self, name: str) -> Path:
        absent = missing(name, self.mirrors)
        if absent:
            raise TrialError(f"{name}: {absent}")
        root = self.folder / "artifacts"
        for stage in ("fetch", "corpus"):
            arguments = ["run", name, "--only", stage, *SETTINGS.get(name, ())]
            charmill(arguments, root, self.git_config)
        return Store(root).runs("corpus", name).last().folder


def mirror(mirrors: Path, repository: str) -> Path:
    """The clone of OWNER/NAME.

    Raises:
        TrialError: if there is none.
    """
    path = mirrors / repository.replace("/", "+")
    if not path.exists():
        raise TrialError(f"no mirror of {repository}")
    return path


def shown(mirrors: Path, repository: str, file: str) -> bytes:
    """The newest content of a file in a mirror.

    Raises:
        TrialError: if the mirror does not have it.
    """
    command = ["git", f"--git-dir={mirror(mirrors, repository)}", "show", f"HEAD:{file}"]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        raise TrialError(f"{repository}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
