"""Many small repositories with copies and near-copies of each other's files, made quickly.

python -m tests.corpora.build.repositories FOLDER NUMBER
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from corpora.sources import GitSource
from corpora.spec import CorpusSpec, SplitSpec

FILES = 8
WORDS = 60
SPEC = CorpusSpec(extensions=(".py",), split=SplitSpec(validation=0.2, test=0.2))
HEAD = """\
title = "Many repositories"
language = "python"

[corpus]
extensions = [".py"]
split = { validation = 0.2, test = 0.2 }

[source]
kind = "git"
"""
LICENSE = "SPDX-License-Identifier: MIT\n"


def files(number: int) -> dict[str, str]:
    """The files of a repository: some are copies, or almost, of those of earlier repositories."""
    found = {f"src/{place}.py": text(number, place) for place in range(FILES)}
    if number:
        found["copied/same.py"] = text(number // 2, 1)
        found["copied/almost.py"] = text(number // 3, 2).replace("\n", "\nchanged\n", 1)
    return found | {"README.md": f"# {number}\n", "LICENSE": LICENSE, "empty.py": ""}


def text(number: int, place: int) -> str:
    """Words that no other file has."""
    words = [sha256(b"%d %d %d" % (number, place, n)).hexdigest()[:8] for n in range(WORDS)]
    return "\n".join(words) + "\n"


def make_repositories(root: Path, number: int) -> list[Path]:
    """Make repositories, each with one process of git."""
    template = root / "template.git"
    init = ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", template]
    subprocess.run(init, check=True)
    made = []
    for n in range(number):
        bare = root / f"r{n:03d}.git"
        shutil.copytree(template, bare)
        command = ["git", f"--git-dir={bare}", "fast-import", "--quiet"]
        subprocess.run(command, input=commit(files(n)), check=True)
        made.append(bare)
    shutil.rmtree(template)
    return made


def dataset_of(repositories: Iterable[Path]) -> str:
    """The TOML of a dataset of these repositories."""
    tables = [f'[[source.repositories]]\nurl = "{one.resolve()}"\n' for one in repositories]
    return HEAD + "\n".join(tables)


def commit(contents: Mapping[str, str]) -> bytes:
    """A commit for `git fast-import`."""
    lines = [b"commit refs/heads/main\ncommitter A <a@example.org> 0 +0000\ndata 1\nx\n"]
    for path, content in contents.items():
        data = content.encode()
        lines.append(b"M 644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    return b"".join(lines)


def source_of(repositories: list[Path]) -> GitSource:
    """The source of all of them."""
    fields = [{"url": str(one)} for one in repositories]
    return GitSource.model_validate({"kind": "git", "repositories": fields})


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    make_repositories(Path(sys.argv[1]), int(sys.argv[2]))
