"""The samples that the old posts published, scored by the same code at the same length."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.published_samples import continuation
from evaluation.metrics.diversity import diversity
from evaluation.metrics.groups import metric_of
from evaluation.results import Metric
from evaluation.scoring.sandbox import score_all

REPOSITORIES = ("nadbordrozd+neural_playground", "ArthMx+Char_RNN")
FILES: Mapping[str, str] = {
    "scikit-learn": "sklearn.py",
    "numpy": "generated_numpy.txt",
    "hadoop": "hadoop.java",
    "scalaz": "scalaz.sc",
    "austen": "austen.txt",
    "flat-earth": "flat_earth.txt",
    "shakespeare": "generated_shakespeare.txt",
    "hugo": "generated_all_hugo.txt",
}


def published_text(dataset: str, mirrors: Path) -> str | None:
    """What the network of the post wrote for a dataset; None if it is not in a mirror."""
    wanted = FILES.get(dataset)
    for name in REPOSITORIES if wanted else ():
        if (mirrors / name).exists():
            listed = _git(mirrors / name, "ls-tree", "-r", "--name-only", "HEAD").decode()
            for path in listed.splitlines():
                if path.rpartition("/")[2] == wanted:
                    text = _git(mirrors / name, "show", f"HEAD:{path}")
                    return continuation(text.decode("utf-8", "replace"))
    return None


def pieces(text: str, length: int, count: int) -> list[str]:
    """At most `count` pieces of `length` characters; a text that is shorter is one piece."""
    whole = max(1, len(text) // length)
    return [text[n * length : (n + 1) * length] for n in range(min(whole, count))]


def figures(language: str, texts: Sequence[str]) -> dict[str, Metric]:
    """The metrics of texts that begin and end anywhere."""
    rows = [
        {**score.tallies, **diversity(text)}
        for score, text in zip(score_all(language, texts, seconds=60.0), texts, strict=True)
    ]
    keys = dict.fromkeys(key for one in rows for key in one)
    return {key: metric_of(key, [one[key] for one in rows if key in one]) for key in keys}


def _git(repository: Path, *arguments: str) -> bytes:
    command = ["git", f"--git-dir={repository}", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout
