"""What every stage costs as the text grows: CPU-seconds and memory of a pipeline.

    python -m benchmarks.growth REPOSITORY FOLDER [--megabytes 1 10 100 600] [--chart PNG]

Takes C files out of REPOSITORY (a clone of Linux, bare or not) until they have so many megabytes,
commits them to a repository under FOLDER, and runs each stage of a dataset of it. Training reads a
million characters whatever the size, and 20 samples of 4,000 characters are written, so that what
grows is what the corpus makes grow. CPU time counts the command, Prefect's server, git and all
workers; memory is that of the largest process.

Prints a Markdown row per stage: the costs, then `a + b MB` fitted to them, and the exponent between
the two largest sizes, without `a`. With --chart, draws both.
"""

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy.optimize import nnls

from benchmarks.command_line import command_line
from benchmarks.real_corpora import Surroundings, Used, charmill
from evaluation.report import plots
from flows.options import STAGE_NAMES, StageName
from system.files import make_folder

DATASET = "growth"
TOML = """\
title = "C of {megabytes:g} MB"
language = "c"

[source]
kind = "git"

[[source.repositories]]
url = "{url}"

[corpus]
extensions = [".c", ".h"]
"""
OPTIONS: Mapping[StageName, Sequence[str]] = {
    "train": ("--preset", "smoke", "--budget", "1Mchars"),
    "sample": ("--set", "sample.length=4000"),
}
"""Of every stage from that one on."""
COLOURS = ("#5b6472", "#2f7fd6", "#c2703d", "#3d9a62", "#8a5fc0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Costs `start + slope * MB`.

    Attributes:
        start: CPU-seconds.
        slope: CPU-seconds a megabyte.
    """

    start: float
    slope: float


def fitted(megabytes: Sequence[float], seconds: Sequence[float]) -> Line:
    """The line with the least squares of relative errors, neither part negative."""
    weights = 1 / np.asarray(seconds)
    rows = np.stack([weights, weights * np.asarray(megabytes)], axis=1)
    (start, slope), _ = nnls(rows, np.ones(len(weights)))
    return Line(start=float(start), slope=float(slope))


def exponent(megabytes: Sequence[float], seconds: Sequence[float], start: float) -> float | None:
    """Exponent of MB between the two largest sizes, less what every size costs; None if nothing."""
    low, high = (cost - start for cost in seconds[-2:])
    if low <= 0 or high <= 0:
        return None
    return math.log(high / low) / math.log(megabytes[-1] / megabytes[-2])


def make_repository(source: Path, megabytes: float, folder: Path) -> Path:
    """Commit C files of the newest commit of `source`, drawn at random, until they have that size.

    Raises:
        ValueError: if it has less.
    """
    if (folder / "HEAD").exists():
        return folder
    sizes = _sizes(source)
    chosen, left = [], megabytes * 1e6
    for index in np.random.default_rng(0).permutation(len(sizes)):
        if left <= 0:
            break
        chosen.append(sizes[index])
        left -= sizes[index][2]
    if left > 0:
        raise ValueError(f"{source} has less than {megabytes:g} MB of C")
    unfinished = folder.with_name(f".{folder.name}")
    subprocess.run(["git", "init", "--bare", "--quiet", "-b", "main", unfinished], check=True)
    alternates = unfinished / "objects" / "info" / "alternates"
    objects = _git(source, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    alternates.write_text(objects, encoding="utf-8")
    listing = "".join(f"100644 {digest}\t{path}\n" for digest, path, _ in chosen)
    _git(unfinished, "update-index", "--index-info", given=listing)
    tree = _git(unfinished, "write-tree").strip()
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    commit = _git(unfinished, *identity, "commit-tree", "-m", "x", tree).strip()
    _git(unfinished, "update-ref", "refs/heads/main", commit)
    _git(unfinished, "repack", "-a", "-d", "-q")
    alternates.unlink()
    return unfinished.rename(folder)


def _sizes(source: Path) -> list[tuple[str, str, int]]:
    """Object, path and bytes of every C file that is a regular file."""
    lines = _git(source, "ls-tree", "-r", "-l", "-z", "HEAD").split("\0")
    files = [line.partition("\t")[::2] for line in lines if line.startswith("100")]
    found = [(about.split(), path) for about, path in files if path.endswith((".c", ".h"))]
    return [(about[2], path, int(about[3])) for about, path in found]


def _git(folder: Path, *arguments: str, given: str | None = None) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, input=given, capture_output=True, text=True)
    return done.stdout


def measure(repository: Path, megabytes: float, folder: Path) -> dict[StageName, Used]:
    """Run every stage, each in a process of its own, in an artifacts root that is new."""
    datasets = folder / "datasets"
    make_folder(datasets)
    toml = TOML.format(megabytes=megabytes, url=repository.resolve())
    (datasets / f"{DATASET}.toml").write_text(toml, encoding="utf-8")
    around = Surroundings(variables={"CHARMILL_DATASETS": str(datasets.resolve())})
    costs: dict[StageName, Used] = {}
    options: list[str] = []
    for stage in STAGE_NAMES:
        options += OPTIONS.get(stage, ())
        command = ["run", DATASET, "--only", stage, *options]
        costs[stage] = charmill(command, folder / "artifacts", Path("/dev/null"), around)
        print(f"{megabytes:g} MB, {stage}: {costs[stage]}", file=sys.stderr, flush=True)
    return costs


def table(megabytes: Sequence[float], costs: Sequence[Mapping[StageName, Used]]) -> Iterator[str]:
    """The lines of a Markdown table: of each cell CPU-seconds, then MB of memory."""
    yield f"| stage | {' | '.join(f'{size:g} MB' for size in megabytes)} | fitted | exponent |"
    yield f"|---|{'--:|' * len(megabytes)}---|--:|"
    for stage in STAGE_NAMES:
        used = [one[stage] for one in costs]
        seconds = [one.seconds for one in used]
        line = fitted(megabytes, seconds)
        power = exponent(megabytes, seconds, line.start)
        cells = [f"{one.seconds:.1f}, {one.memory:,}" for one in used]
        cells += [
            f"{line.start:.1f} + {line.slope:.3g} MB",
            "" if power is None else f"{power:.2f}",
        ]
        yield f"| {stage} | {' | '.join(cells)} |"


def chart(megabytes: Sequence[float], costs: Sequence[Mapping[StageName, Used]]) -> Figure:
    """Costs as points, and the lines fitted to them."""
    with plots.style():
        figure = Figure(figsize=(plots.WIDE, 3.6))
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlabel="MB of text", ylabel="CPU-seconds")
        sizes = np.geomspace(megabytes[0], megabytes[-1], 100)
        for stage, colour in zip(STAGE_NAMES, COLOURS, strict=True):
            seconds = [one[stage].seconds for one in costs]
            line = fitted(megabytes, seconds)
            axes.plot(megabytes, seconds, "o", ms=4, color=colour)
            axes.plot(sizes, line.start + line.slope * sizes, lw=1.2, color=colour, label=stage)
        axes.grid(axis="both")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.legend(frameon=False)
        return figure


def main(arguments: Sequence[str]) -> int:
    """Measure all sizes and print the table."""
    parser = command_line("benchmarks.growth", __doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", nargs="+", type=float, default=[1, 10, 100, 600])
    parser.add_argument("--chart", type=Path, metavar="PNG")
    asked = parser.parse_args(arguments)
    megabytes = sorted(asked.megabytes)
    if len(megabytes) < 2:
        parser.error("a line needs two sizes")
    costs = []
    for size in megabytes:
        folder = asked.folder.resolve() / f"{size:g}"
        make_folder(folder)
        repository = make_repository(asked.repository, size, folder / "repository")
        costs.append(measure(repository, size, folder))
    print("\n".join(table(megabytes, costs)))
    if asked.chart:
        asked.chart.write_bytes(plots.to_png(chart(megabytes, costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
