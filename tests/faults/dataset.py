"""A small dataset from each kind of source that a kill can disturb, and its undisturbed results.

They are made once per process, when they are first needed. Every stage runs in a forked child, so
this process never computes: it stays as it was after its imports, and a child starts within
hundredths of a second.
"""

import functools
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from flows.options import STAGE_NAMES, Options, Run, StageName, prepare
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from modeling.native import compilation
from system.processes import dying_with_parent
from system.settings import Settings
from tests.faults.children import fork
from tests.faults.filesystem import count_operations
from tests.flows.conftest import make_tiny
from tests.processes import until

DATASET = "tiny"
Kind = Literal["folder", "git", "url"]
SOURCES: dict[Kind, str] = {
    "folder": 'kind = "folder"\npath = "{folder}"\n',
    "git": 'kind = "git"\n[[source.repositories]]\nurl = "{folder}"\n',
    "url": 'kind = "url"\nurls = ["{site}/code.tar"]\n',
}
OPTIONS = Options(
    budget="4kchars",
    overrides=("train.precision=float32", "evaluate.control_windows=2"),
)
IMPORTED_LATE = (
    *("corpora.build.corpus", "corpora.corpus.card", "corpora.sources.git.progress"),
    *("modeling.training.session", "modeling.inference.sampling", "modeling.native.library"),
    *("evaluation.assess", "evaluation.report.render", "evaluation.evidence"),
    *("pandas", "scipy.stats", "httpx", "fsspec.implementations.local"),
)
"""What the stages import when they need it, so that forked children have it already."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset, and what its stages publish when nothing disturbs them.

    Attributes:
        reference: an artifacts folder with one finished run of each stage in `keys`.
        keys: of those runs.
        seconds: how long each stage took.
        operations: how many changes of the file system each stage made.
    """

    home: Path
    reference: Path
    keys: dict[StageName, str] = field(default_factory=dict)
    seconds: dict[StageName, float] = field(default_factory=dict)
    operations: dict[StageName, int] = field(default_factory=dict)

    def settings(self, artifacts: Path) -> Settings:
        """The settings of a run with its results in `artifacts`."""
        return Settings(artifacts=artifacts, datasets=self.home / "datasets", device="cpu")

    def run(self) -> Run:
        """The settings of all stages."""
        return prepare(DATASET, OPTIONS, (self.home / "datasets",))

    def make(self, name: StageName, artifacts: Path) -> str:
        """Execute one stage in this process; returns its key."""
        stage = next(stage for stage in STAGES if stage.name == name)
        made = execute(
            stage,
            self.run(),
            stage.choose(self.keys),
            settings=self.settings(artifacts),
            reporter=LogReporter(),
        )
        return made.key

    def copy_before(self, name: StageName, artifacts: Path) -> None:
        """Copy the results of the stages before this one."""
        for earlier in STAGE_NAMES[: STAGE_NAMES.index(name)]:
            place = Path(earlier, DATASET)
            shutil.copytree(self.reference / place, artifacts / place, symlinks=True)

    def finish(self, last: StageName) -> None:
        """Run the stages up to this one, undisturbed, that were not run yet."""
        for name in STAGE_NAMES[: STAGE_NAMES.index(last) + 1]:
            if name not in self.keys:
                self._measure(name)

    def _measure(self, name: StageName) -> None:
        child = fork(
            lambda: count_operations(lambda: self.make(name, self.reference)), folder=self.home
        )
        self.seconds[name] = child.ends_well()
        key, _, operations = child.result().partition(" ")
        self.keys[name], self.operations[name] = key, int(operations)


@functools.cache
def dataset(kind: Kind) -> Dataset:
    """Make the dataset from one kind of source."""
    for module in IMPORTED_LATE:
        importlib.import_module(module)
    cache_folder()
    home = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
    tiny = make_tiny(home)
    before, _, after = tiny.toml.read_text().partition("[corpus]")
    site = _serve(home) if kind == "url" else ""
    source = SOURCES[kind].format(folder=tiny.folder, site=site)
    tiny.toml.write_text(f"{before.partition('[source]')[0]}[source]\n{source}\n[corpus]{after}")
    _prepare_source(kind, tiny.folder)
    return Dataset(home=home, reference=home / "reference")


@functools.cache
def cache_folder() -> Path:
    """A cache of this process alone, with the compiled kernel of the user's cache.

    Another process may measure another engine as the fastest one, and cache that.
    """
    users = compilation.cache_folder()
    own = Path(tempfile.mkdtemp(prefix="cache-"))
    os.environ["XDG_CACHE_HOME"] = str(own)
    (own / "charmill").mkdir(mode=0o700)
    for library in users.glob("lstm-*.so"):
        shutil.copy(library, own / "charmill")
    return own / "charmill"


def _prepare_source(kind: Kind, folder: Path) -> None:
    if kind == "git":
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "Begin"]):
            subprocess.run(["git", "-C", folder, *arguments], check=True)
    elif kind == "url":
        with tarfile.open(folder.parent / "site/code.tar", "w") as archive:
            archive.add(folder, "code")


def _serve(home: Path) -> str:
    """Start a web server for home/site that ends with this process; returns its URL."""
    (home / "site").mkdir()
    log = home / "site.log"
    with log.open("w") as file:
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.slow_web", str(home / "site")],
            stdout=file,
            preexec_fn=dying_with_parent(signal.SIGKILL),  # noqa: PLW1509 (touches no lock)
        )
    url = until(lambda: log.read_text().strip())
    httpx.head(f"{url}/")
    return url
