import hashlib
import locale
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import commit, run_git

BUILD = """
import sys
from pathlib import Path
from corpora.build.corpus import build_corpus
from corpora.sources.git.source import GitSource
from corpora.spec import CorpusSpec
source = GitSource(kind="git", repositories=[{"url": sys.argv[1]}])
fetched, corpus = Path(sys.argv[2], "fetched"), Path(sys.argv[2], "corpus")
fetched.mkdir(parents=True)
corpus.mkdir()
list(source.fetch(source.resolve(), fetched))
spec = CorpusSpec.model_validate({"extensions": [".py"], "split": {"salt": "x"}})
list(build_corpus(source.open(fetched), spec, corpus, workers=1))
"""
NAMES = ("i.py", "I.py", "\u0131.py", "\u0130.py", "\u00e4.py", "a/b.py", "a-b.py", "B.py")
FILES = {f"{folder}/{name}": f"# {folder} {name}\n" * 20 for folder in "xyz" for name in NAMES}
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def has_locale(name: str) -> bool:
    old = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_ALL, old)
    return True


def built(root: Path, folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """Fetch and build in a separate process under another locale; returns digests by file."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    command = [sys.executable, "-c", BUILD, str(root), str(folder)]
    subprocess.run(command, env=kept | variables, cwd=Path(__file__).parents[4], check=True)
    corpus = folder / "corpus"
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in corpus.iterdir()}


@pytest.mark.slow
def test_locale_and_the_order_of_objects_change_no_byte_of_a_corpus(make_repository, tmp_path):
    loose = make_repository(FILES, "thing")
    packed = tmp_path / "again" / "thing"
    packed.mkdir(parents=True)
    run_git(packed, "init", "--quiet")
    for path, text in reversed(FILES.items()):
        commit(packed, {path: text})
    run_git(packed, "gc", "--quiet")
    expected = built(loose, tmp_path / "1", {"LC_ALL": "C.UTF-8"})
    assert len(expected) >= 4
    assert built(packed, tmp_path / "2", PLAIN) == expected
    if has_locale("tr_TR.UTF-8"):
        assert built(loose, tmp_path / "3", {"LC_ALL": "tr_TR.UTF-8"}) == expected
