"""Score real texts, file by file: what `charmill score` reports.

The metrics are those of samples, computed over files instead. Every file is whole, so its own
balance or parse counts in addition to that of its units.

For C, parsing with a grammar takes four fifths of the time. In a large folder the grammar and the
compiler therefore check only every k-th file, about PARSED_BYTES in total; `n` shows how many units
that is.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from corpora.text.decoding import UndecodableError, decode
from evaluation.errors import ScoreError
from evaluation.languages import LANGUAGES, known_languages
from evaluation.metrics.diversity import diversity
from evaluation.metrics.groups import metric_of
from evaluation.results import Metric, Tally, TextScore
from evaluation.scoring.compilers import compiler_tallies
from evaluation.scoring.sandbox import Shape, score_each

WORKERS = 2
PARSED_BYTES = 20_000_000
"""About two seconds of the C grammar. Below this size every file is parsed."""
BATCH_CHARACTERS = 4_000_000
"""Text that a compiler checks at once, because javac takes half a second to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScore:
    """The score of one file; outcome "unreadable" if it is not text."""

    path: str
    characters: int
    score: TextScore

    def to_dict(self) -> dict[str, Any]:
        """As one element of `per_file` in `charmill score --json --per-file`."""
        tallies = self.score.tallies
        return {
            "path": self.path,
            "outcome": self.score.outcome,
            "balanced": _holds(tallies, "file_balance_rate"),
            "parses": _holds(tallies, "file_parse_rate"),
            "nesting_mismatches": _amount(tallies, "nesting_mismatches_per_kb"),
            "unterminated": _amount(tallies, "unterminated_literals_per_kb"),
            "units": _amount(tallies, "units_per_kb"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of all files, and their totals.

    Attributes:
        outcomes: files by outcome: "ok", or the reason why they were not scored.
    """

    language: str
    files: Sequence[FileScore]
    outcomes: Mapping[str, int]
    metrics: Mapping[str, Metric]

    def to_dict(self, *, per_file: bool = False) -> dict[str, Any]:
        """As `charmill score --json` prints it."""
        result = {
            "language": self.language,
            "files": len(self.files),
            "characters": sum(file.characters for file in self.files),
            "outcomes": dict(self.outcomes),
            **{key: asdict(metric) for key, metric in self.metrics.items()},
        }
        rows = {"per_file": [file.to_dict() for file in self.files]} if per_file else {}
        return result | rows


def find_files(path: Path, language: str) -> list[Path]:
    """The file, or the files of a folder with the language's extensions, sorted by path.

    Raises:
        ScoreError: the language is unknown, or there is nothing to score.
    """
    if language not in LANGUAGES:
        raise ScoreError(f"no language {language!r}; known: {known_languages()}")
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ScoreError(f"{path}: no such file or folder")
    extensions = LANGUAGES[language].extensions
    paths = sorted(p for p in path.rglob("*") if p.name.endswith(extensions) and p.is_file())
    if not paths:
        raise ScoreError(f"{path}: no file with extension {', '.join(extensions)}")
    return paths


def score_files(
    paths: Sequence[Path],
    language: str,
    *,
    parsed_bytes: int = PARSED_BYTES,
    batch_characters: int = BATCH_CHARACTERS,
) -> Iterator[FileScore]:
    """Score whole files in their order.

    Args:
        paths: of the files.
        language: a key of LANGUAGES.
        parsed_bytes: about this much text is also checked by a grammar and a compiler.
        batch_characters: of the texts that a compiler checks at once.
    """
    batch: list[tuple[FileScore, str | None]] = []
    size = 0
    for file, text in _score_each(paths, language, parsed_bytes):
        batch.append((file, text))
        size += len(text or "")
        if size >= batch_characters:
            yield from _compiled(batch, language)
            batch, size = [], 0
    yield from _compiled(batch, language)


def _compiled(batch: Sequence[tuple[FileScore, str | None]], language: str) -> Iterator[FileScore]:
    """Check all texts of a batch with a compiler, in one call."""
    compiled = compiler_tallies(
        language, [text for _, text in batch if text is not None], whole=True
    )
    for file, text in batch:
        tallies = {**file.score.tallies, **({} if text is None else next(compiled))}
        yield replace(file, score=replace(file.score, tallies=tallies))


def _score_each(
    paths: Sequence[Path], language: str, parsed_bytes: int
) -> Iterator[tuple[FileScore, str | None]]:
    """The score of every file, with its text if a compiler is to check it."""
    waiting: deque[tuple[Path, str | None, Shape]] = deque()
    stride = max(1, math.ceil(sum(path.stat().st_size for path in paths) / parsed_bytes))

    def texts() -> Iterator[tuple[Shape, str]]:
        for number, path in enumerate(paths):
            shape: Shape = "file unparsed" if number % stride else "file"
            text = _text_of(path)
            waiting.append((path, text, shape))
            if text is not None:
                yield shape, text

    for score in score_each(language, texts(), workers=min(WORKERS, len(paths))):
        yield from _unreadable(waiting)
        path, text, shape = waiting.popleft()
        assert text is not None
        merged = replace(score, tallies={**score.tallies, **diversity(text)})
        file = FileScore(path=str(path), characters=len(text), score=merged)
        yield file, text if shape == "file" else None
    yield from _unreadable(waiting)


def _unreadable(
    waiting: deque[tuple[Path, str | None, Shape]],
) -> Iterator[tuple[FileScore, None]]:
    """Remove the files at the head of the queue that are not text."""
    while waiting and waiting[0][1] is None:
        path, _, _ = waiting.popleft()
        none = TextScore(tallies={}, outcome="unreadable")
        yield FileScore(path=str(path), characters=0, score=none), None


def sum_up(files: Sequence[FileScore], language: str) -> Scores:
    """The metrics over all files."""
    tallies: dict[str, list[Tally]] = defaultdict(list)
    outcomes: Counter[str] = Counter({"ok": 0, "timeout": 0, "crash": 0, "unreadable": 0})
    for file in files:
        outcomes[file.score.outcome] += 1
        for key, tally in file.score.tallies.items():
            tallies[key].append(tally)
    return Scores(
        language=language,
        files=files,
        outcomes=outcomes,
        metrics={key: metric_of(key, values) for key, values in tallies.items()},
    )


def _text_of(path: Path) -> str | None:
    try:
        return decode(path.read_bytes()).text
    except UndecodableError:
        return None


def _holds(tallies: Mapping[str, Tally], key: str) -> bool | None:
    """Whether the whole file passes; None if this metric does not apply to it."""
    tally = tallies.get(key)
    return bool(tally.amount) if tally and tally.of else None


def _amount(tallies: Mapping[str, Tally], key: str) -> int | None:
    return round(tallies[key].amount) if key in tallies else None
