"""A new kind of source is one file and one line: the stages and commands need no other change."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
KIND = '''
"""Proverbs, made on the spot; each may be kept for a day."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal

from corpora.document import Entry
from corpora.sources.source import SourceModel
from system.progress import Progress


class ProverbSource(SourceModel):
    kind: Literal["proverb"]
    count: int

    is_shareable: ClassVar[bool] = False

    @property
    def retention(self):
        return timedelta(days=1)

    def resolve(self):
        return {"proverbs": str(self.count)}

    def fetch(self, resolution, directory):
        texts = [f"proverb {n} says {n * n}\\n" for n in range(int(resolution["proverbs"]))]
        (directory / "proverbs.json").write_text(json.dumps(texts))
        yield Progress(done=len(texts), total=len(texts), unit="proverbs")

    def open(self, directory):
        return ProverbSnapshot(directory)

    def permalink(self, resolution, source, path):
        return f"https://proverbs.example/{resolution[source]}/{path}"

    def expiry(self, directory):
        return datetime.fromtimestamp(
            (directory / "proverbs.json").stat().st_mtime, UTC
        ) + self.retention


@dataclass(frozen=True)
class ProverbSnapshot:
    directory: Path

    def texts(self):
        return json.loads((self.directory / "proverbs.json").read_text())

    def entries(self):
        for number, text in enumerate(self.texts()):
            yield Entry(
                source="proverbs", path=f"{number}.txt", size=len(text), handle=str(number)
            )

    def read(self, entries):
        texts = self.texts()
        for entry in entries:
            yield entry, texts[int(entry.handle)].encode()
'''
TOML = """
title = "Proverbs"
language = "prose"
[source]
kind = "proverb"
count = 60
[corpus]
extensions = [".txt"]
near_duplicates = "ignore"
split = { validation = 0.2, test = 0.2 }
"""
PROGRAM = """
import os
from datetime import UTC, datetime
from pathlib import Path

from flows.pages.ledger import explain
from flows.options import Options, prepare
from flows.planning.exchange import shares
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from system.settings import Settings
from flows.stages.corpus import CORPUS
from flows.stages.fetch import FETCH
from flows.store.forget import find_expired, remove
from flows.store.runs import Store
from flows.store.stage import execute

here = Path.cwd()
settings = Settings(artifacts=here / "artifacts", datasets=here / "sets", remote="file:///nowhere")
store = Store(settings.artifacts_root)
run = prepare("proverbs", Options(), settings.dataset_folders)
fetched = execute(FETCH, run, {}, settings=settings, reporter=LogReporter())
corpus = execute(CORPUS, run, {"fetch": fetched.key}, settings=settings, reporter=LogReporter())
print(sum(split["documents"] for split in corpus.summary["splits"].values()))
print(explain(store, "proverbs", "7.txt")[0]["permalink"])
print(shares(run, settings))
print([d.action for d in make_plan(run, Options(), store).decisions[:2]])
material = store.runs("fetch", "proverbs").run(fetched.key).folder / "proverbs.json"
os.utime(material, (0, 0))
print(make_plan(run, Options(), store).decisions[0].reason[:33])
removals = find_expired(store, "proverbs", run.spec.source, datetime.now(UTC))
print([removal.stage for removal in removals])
remove(store, "proverbs", run.spec.source, removals)
print(material.exists(), store.runs("corpus", "proverbs").keys())
"""


def test_a_source_in_one_file_and_one_line_is_fetched_built_linked_and_expires(tmp_path):
    for package in ("corpora", "flows", "modeling", "evaluation", "system"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    (tmp_path / "corpora/sources/proverb.py").write_text(KIND.lstrip())
    kinds = tmp_path / "corpora/sources/__init__.py"
    text = kinds.read_text()
    assert text.count("    YoutubeSource,\n") == 1
    text = text.replace("    YoutubeSource,\n", "    YoutubeSource,\n    ProverbSource,\n")
    text = text.replace("\nKINDS", "\nfrom corpora.sources.proverb import ProverbSource\nKINDS")
    kinds.write_text(text)
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/proverbs.toml").write_text(TOML)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "60",
        "https://proverbs.example/60/7.txt",
        "False",
        "['reuse', 'reuse']",
        "past its retention since 1970-01-",
        "['fetch', 'corpus']",
        "False []",
    ], done.stderr
