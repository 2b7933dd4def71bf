"""Reasons to distrust a report, each with what to do about it: one list, the gravest first.

The HTML page shows the grave ones next to the verdict and the general ones at its end; Markdown,
JSON, the index and the command line show the same records.
"""

from collections import Counter
from collections.abc import Iterator

from evaluation.baselines.ladder import model_row
from evaluation.report.facts import Facts
from evaluation.report.training_threats import (
    diverged,
    excess,
    memorised,
    overtrained,
    undertrained,
)
from evaluation.results import Threat
from modeling.vocab import LARGE

LOW_CONTROL = 0.9
FEW_FILES = 10
FEW_WINDOWS = 10
UNLIKE = 0.15
"""Relative difference of the bits on the two held-out parts."""


def threats(facts: Facts) -> list[Threat]:
    """All threats to the conclusions of one report."""
    checks = (
        *(diverged, undertrained, _degenerate, _few_files, _unlike, _near_copies),
        *(overtrained, memorised, _small_control, _low_control, _not_scored),
        # What holds for the method, whatever the run:
        *(_one_training, _less_text_counted, _large_vocabulary, _no_compiler, _version_of_python),
    )
    return [threat for check in checks for threat in check(facts)]


def _degenerate(facts: Facts) -> Iterator[Threat]:
    bad = [group for group in facts.groups if group.degenerate]
    if not bad:
        return
    model = [group for group in facts.groups if group.role == "model"]
    found = "; ".join(f"{group.name}: {', '.join(group.degenerate)}" for group in bad)
    highest = max(group.temperature or 0 for group in model)
    higher = ",".join(f"{highest + step:.1f}" for step in (0.0, 0.1, 0.2))
    yield Threat(
        kind="degenerate samples",
        text=f"Unlike any real text: {found}. "
        + (
            "So are the samples of all temperatures: none can be recommended."
            if len(bad) == len(model)
            else "Such a temperature is not recommended, whatever its validity."
        ),
        remedy="Train longer, or try higher temperatures",
        command=facts.run_with(f"--set 'sample.temperatures=[{higher}]'"),
    )


def _few_files(facts: Facts) -> Iterator[Threat]:
    if facts.test_files < FEW_FILES:
        scored = "file was" if facts.test_files == 1 else "files were"
        yield Threat(
            kind="few held-out files",
            text=f"Only {facts.test_files} held-out {scored} scored: another split could change "
            "the bits considerably.",
            remedy="Hold out more",
            command=facts.run_with("--set corpus.split.test=0.2"),
        )


def _unlike(facts: Facts) -> Iterator[Threat]:
    test, other = model_row(facts.ladder).bits_per_char, facts.validation_bits
    if other and abs(test / other - 1) > UNLIKE and not excess(facts.ladder):
        word = "harder" if test > other else "easier"
        yield Threat(
            kind="held-out text unlike the rest",
            text=f"The test files are {word} than the validation files, which come from the same "
            f"corpus: {test:.2f} bits per character, not {other:.2f}. The figures depend on which "
            "files were held out.",
            remedy="Try another split",
            command=facts.run_with("--set corpus.split.salt=second"),
        )


def _near_copies(facts: Facts) -> Iterator[Threat]:
    if facts.near_copies is None:
        yield Threat(
            kind="near-copies not searched for",
            text="Held-out files may have near-copies in the training text, which would make the "
            "bits too low.",
            remedy="Search for them",
            command=facts.run_with("--set corpus.near_duplicates=decontaminate"),
        )
    elif facts.near_copies:
        yield Threat(
            kind="near-copies left",
            text=f"{_counted(facts.near_copies, 'held-out file')} with a near-copy in the training "
            "text: their bits are too low.",
            remedy="Exclude the files that the section Corpus names, with corpus.exclude in the "
            "dataset's TOML.",
        )


def _small_control(facts: Facts) -> Iterator[Threat]:
    control = facts.control
    length = max((g.characters_each for g in facts.groups if g.role == "model"), default=0)
    if control and control.texts < FEW_WINDOWS:
        yield Threat(
            kind="little real text to compare with",
            text=f"The held-out text fills only {_counted(control.texts, 'window')} of the "
            "samples' length: what real text scores is uncertain.",
            remedy="Hold out more, or take shorter samples",
            command=facts.run_with(f"--set sample.length={max(100, length // 10)}"),
        )


def _low_control(facts: Facts) -> Iterator[Threat]:
    control = facts.control
    metric = control.metrics.get(facts.headline) if control and facts.headline else None
    if metric and metric.value is not None and metric.value < LOW_CONTROL:
        yield Threat(
            kind="low control",
            text=f"Real text itself reaches only {metric.value:.0%} in the headline metric.",
            remedy="Compare the samples with that, not with 100 %.",
        )


def _not_scored(facts: Facts) -> Iterator[Threat]:
    texts = sum(group.texts for group in facts.groups)
    counts: Counter[str] = Counter()
    for group in facts.groups:
        counts.update(group.outcomes)
    if lost := counts.total() - counts["ok"] - counts["bug"]:
        yield Threat(
            kind="texts not scored",
            text=f"{lost} of {texts} texts could not be scored completely: they exceeded the "
            "limits on time or memory.",
            remedy="Read the figures of their group, named in the line Scored, as those of the "
            "rest.",
        )
    if counts["bug"]:
        yield Threat(
            kind="a bug in scoring",
            text=f"{counts['bug']} of {texts} texts were not scored because of a bug in charmill, "
            "whose traceback was printed during the evaluation.",
            remedy="Report the bug; until it is mended, read the figures as those of the rest.",
        )


def _one_training(facts: Facts) -> Iterator[Threat]:
    yield Threat(
        kind="one training",
        text="The intervals come from the texts of one trained model: they do not include the "
        "variation between training seeds.",
        remedy="Train again with another seed",
        command=facts.run_with("--set train.seed=1"),
        is_general=True,
    )


def _less_text_counted(facts: Facts) -> Iterator[Threat]:
    if facts.baseline_share < 1:
        yield Threat(
            kind="n-grams of less text",
            text=f"The n-grams have seen {facts.baseline_share:.0%} of the training text, "
            f"the {facts.model_name} all of it.",
            remedy="Count more, if memory allows: evaluate.baseline_characters.",
            is_general=True,
        )


def _large_vocabulary(facts: Facts) -> Iterator[Threat]:
    if facts.vocabulary_size > LARGE:
        yield Threat(
            kind="large vocabulary",
            text=f"The model knows {facts.vocabulary_size:,} characters, and the cost of a "
            "character grows with their number. Therefore samples, validation and held-out text "
            f"were cut to {LARGE / facts.vocabulary_size:.0%} of what the settings say.",
            remedy="Count rare characters as unknown",
            command=facts.run_with("--set train.min_count=20"),
            is_general=True,
        )


def _no_compiler(facts: Facts) -> Iterator[Threat]:
    if facts.no_compiler:
        yield Threat(
            kind="no compiler",
            text=facts.no_compiler,
            remedy="Install one and evaluate again",
            command=facts.run_with("--only evaluate --force"),
            is_general=True,
        )


def _version_of_python(facts: Facts) -> Iterator[Threat]:
    if facts.python:
        yield Threat(
            kind="version of Python",
            text=f"Python code was parsed by Python {facts.python}: valid code for another version "
            "may fail; the control shows how much does.",
            is_general=True,
        )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
