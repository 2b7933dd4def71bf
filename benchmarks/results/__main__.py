"""The gallery: run every dataset that ships, from its source to its report, and show the results.

    python -m benchmarks.results MIRRORS [DATASET ...] [--cpu-minutes 10] [--folder FOLDER]

MIRRORS holds a repository, bare or not, under OWNER+NAME for https://github.com/OWNER/NAME, as for
benchmarks.real_corpora. It may hold a file `stand-ins.toml` that says, by dataset, what was used in
place of the real source. The datasets that need an account are collected from servers on this
machine that have the same APIs and invented content.

Every dataset is trained the same number of CPU-minutes, with a thread on every processor. It can be
killed and started again: what is current is not run again. With names of datasets, only these are
run; the pages show all that have a report in FOLDER. Writes docs/results.md, docs/results/, and
the short table in README.md.
"""

import platform
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.command_line import command_line
from benchmarks.real_corpora import Surroundings, TrialError, charmill, mirrored, missing
from benchmarks.results.page import with_summary, write_gallery
from benchmarks.results.row import read_row
from benchmarks.results.stand_ins import account, services
from corpora.sources import GithubAccountSource, YoutubeSource
from corpora.spec import dataset_files, load_dataset
from flows.store.runs import Store
from modeling.device import processor_name
from system.pool import processors

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.with_name("README.md")
INVENTED = {
    "flat-earth": "invented comments, from a server on this machine with YouTube's API",
    "my-code": "an account with public Python projects, from a server here with GitHub's API",
}


def run(dataset: str, mirrors: Path, root: Path, config: Path, seconds: float) -> None:
    """Run all stages of a dataset that are not current.

    Raises:
        TrialError: if a repository has no mirror, or a stage fails.
    """
    source = load_dataset(dataset).source
    arguments = ["run", dataset, "--budget", f"{seconds:g}s"]
    if isinstance(source, GithubAccountSource | YoutubeSource):
        if isinstance(source, GithubAccountSource):
            arguments += ["--set", f"source.account={account()}"]
        with services(mirrors) as variables:
            charmill(arguments, root, config, Surroundings(variables=variables))
        return
    absent = missing(dataset, mirrors)
    if absent:
        raise TrialError(absent)
    charmill(arguments, root, config)


def stand_ins(mirrors: Path) -> Mapping[str, str]:
    """What was used in place of the real sources, by dataset."""
    path = mirrors / "stand-ins.toml"
    return INVENTED | (tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {})


def heading(cpu_minutes: float) -> str:
    """How the gallery was made."""
    return f"""\
# Results

What a network writes that has read one thing only, for every dataset that ships.

Made by `python -m benchmarks.results MIRRORS --cpu-minutes {cpu_minutes:g}` on {processor_name()},
{processors()} processors, Python {platform.python_version()}, torch {torch.__version__},
{datetime.now(UTC):%Y-%m-%d}: {cpu_minutes:g} CPU-minutes of training each, no GPU, otherwise the
defaults of each dataset. docs/evaluation.md explains the figures.
"""


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for and write the pages; 1 if a dataset failed."""
    parser = command_line("benchmarks.results", __doc__)
    parser.add_argument("mirrors", type=Path)
    parser.add_argument("datasets", nargs="*", metavar="DATASET")
    parser.add_argument("--cpu-minutes", type=float, default=10)
    parser.add_argument("--folder", type=Path, default=Path("artifacts/results"))
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the pages are written")
    asked = parser.parse_args(arguments)
    root, failed = asked.folder.resolve(), []
    seconds = 60 * asked.cpu_minutes / processors()
    with mirrored(asked.mirrors) as config:
        for dataset in asked.datasets or dataset_files(()):
            print(f"{datetime.now(UTC):%H:%M} UTC: {dataset}", flush=True)
            try:
                run(dataset, asked.mirrors, root, config, seconds)
            except TrialError as error:
                failed.append(f"{dataset}: {error}")
                print(failed[-1], file=sys.stderr, flush=True)
    store = Store(root)
    finished = [name for name in sorted(dataset_files(())) if store.runs("evaluate", name).latest]
    rows = [read_row(name, root, asked.mirrors) for name in finished]
    used = {name: words for name, words in stand_ins(asked.mirrors).items() if name in finished}
    write_gallery(rows, asked.docs, heading(asked.cpu_minutes), used)
    if asked.docs == DOCS:
        readme = README.read_text(encoding="utf-8")
        README.write_text(with_summary(readme, rows), encoding="utf-8", newline="\n")
    print(f"{len(rows)} datasets: {asked.docs / 'results.md'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
