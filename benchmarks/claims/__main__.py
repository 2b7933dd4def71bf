"""The claims of the posts, tested: runs, tables and verdicts.

    python -m benchmarks.claims MIRRORS [CLAIM ...] [--characters 5M] [--seeds 3]

Trains every arm of every claim (benchmarks.claims.experiments) with every seed: with the preset
`small` and the same number of characters, or where recipes are compared for the same CPU time on
one thread, so that a busy machine changes nothing. MIRRORS is that of benchmarks.rivals. It can be
killed and started again: figures are kept in FOLDER, and `charmill run` resumes. Writes
docs/claims.md.
"""

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.claims.experiments import CLAIMS, Claim, Measure
from benchmarks.claims.trial import Trial
from benchmarks.claims.verdict import Figures, verdicts
from benchmarks.command_line import command_line
from benchmarks.real_corpora import TrialError, mirrored
from benchmarks.results.__main__ import DOCS
from modeling.config import Budget
from modeling.device import processor_name

Results = dict[str, dict[str, list[Figures]]]
"""Figures of every seed, by claim and arm."""
COLUMNS: Mapping[Measure, str] = {
    "bits": "bits",
    "gain": "gain over n-grams",
    "validity": "validity",
    "new units": "valid, original units a kB",
}
INTRODUCTION = """\
*bits* are those of a held-out character, fewer are better; the *gain* is over the best n-gram model
of the same text; the samples are at temperature 0.8 where nothing else is said. A difference is
positive if it is as claimed. It is taken seed by seed, and its interval is Student's over the
seeds: it says how sure the difference is for these corpora and such short trainings, no others.
"""


def page(results: Mapping[str, Mapping[str, Sequence[Figures]]], made: str) -> str:
    """The page of all claims that were tested."""
    lines = ["# Claims, tested", "", made, "", INTRODUCTION]
    tested = [claim for claim in CLAIMS if results.get(claim.name)]
    for claim in tested:
        lines += section(claim, results[claim.name])
    if missing := [claim for claim in CLAIMS if claim not in tested]:
        lines += ["## Not tested yet", ""]
        lines += [f"- {claim.text} (`{claim.name}`)" for claim in missing]
        lines.append("")
    return "\n".join(lines)


def section(claim: Claim, results: Mapping[str, Sequence[Figures]]) -> Iterator[str]:
    """A claim, its table and its verdicts."""
    yield f"## {claim.text}"
    yield ""
    known = {name for runs in results.values() for run in runs for name in run}
    columns: list[Measure] = [name for name in COLUMNS if name in known]
    yield f"| {' | '.join(['arm', *(COLUMNS[name] for name in columns)])} |"
    yield f"|---|{'--:|' * len(columns)}"
    for label, runs in results.items():
        yield f"| {label} | {' | '.join(_cell(runs, column) for column in columns)} |"
    yield ""
    sides = f"{', '.join(claim.better)} against {', '.join(claim.worse)}"
    for verdict in verdicts(claim, results):
        span = verdict.interval
        sure = f" (95 %: {span[0]:+.3f} to {span[1]:+.3f})" if span else ""
        change = f"{verdict.difference:+.3f}{sure}"
        yield f"- By {verdict.measure}, {sides}: **{verdict.words}**, {change}."
    yield ""


def _cell(runs: Sequence[Figures], column: Measure) -> str:
    """The mean over the seeds, and the range."""
    values = [value for run in runs if (value := run.get(column)) is not None]
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else mean


def run_all(trial: Trial, names: Sequence[str], seeds: int) -> tuple[Results, list[str]]:
    """Run every arm of the named claims with every seed; what they came to, and what failed."""
    results: Results = {}
    failed = []
    for claim in (one for one in CLAIMS if one.name in names):
        for arm in claim.arms:
            print(f"{claim.name}: {arm.label}", flush=True)
            try:
                runs = [trial.figures(arm, seed) for seed in range(seeds)]
            except TrialError as error:
                failed.append(f"{claim.name}, {arm.label}: {error}")
                print(failed[-1], file=sys.stderr, flush=True)
                continue
            results.setdefault(claim.name, {})[arm.label] = runs
    return results, failed


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for and write the page; 1 if a run failed."""
    names = [claim.name for claim in CLAIMS]
    parser = command_line("benchmarks.claims", __doc__)
    parser.add_argument("mirrors", type=Path)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=", ".join(names))
    parser.add_argument("--characters", default="5Mchars", metavar="BUDGET")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("artifacts/claims"))
    parser.add_argument("--docs", type=Path, default=DOCS, help="where claims.md is written")
    asked = parser.parse_args(arguments)
    characters = Budget.parse(asked.characters).characters
    if set(asked.claims) - set(names) or not characters:
        parser.error(f"claims are {', '.join(names)}; characters are such as 5Mchars")
    torch.set_num_threads(1)
    with mirrored(asked.mirrors) as config:
        trial = Trial(asked.folder.resolve(), asked.mirrors, config, characters)
        results, failed = run_all(trial, asked.claims or names, asked.seeds)
    command = f"{' '.join(['MIRRORS', *asked.claims])} --characters {asked.characters}"
    made = (
        f"Made by `python -m benchmarks.claims {command} --seeds {asked.seeds}` on\n"
        f"{processor_name()}: means over the seeds, with the range."
    )
    asked.docs.mkdir(parents=True, exist_ok=True)
    (asked.docs / "claims.md").write_text(page(results, made), encoding="utf-8", newline="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
