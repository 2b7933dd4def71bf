"""How many real files the bracket lexer finds balanced, and how fast.

    python -m benchmarks.lexer_truth FOLDER LANGUAGE [EVERY]

Prints files, balanced files, their functions or blocks, and MB/s of one core with the grammar's
second opinion, without it, and of reading and decoding the same files. Real files are balanced, so
what is not is a fault of the lexer or a broken file; the first ten are listed. EVERY n takes every
n-th file.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from evaluation.languages import LANGUAGES
from evaluation.results import Tally
from evaluation.scoring.sandbox import collect_rarely
from evaluation.syntax.bracketed import BracketScorer


def read(path: Path) -> str:
    """The text of a file; what is no UTF-8 is read as Latin-1, which has the same brackets."""
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def main(folder: Path, language: str, every: int = 1) -> None:
    """Score the files of a language below a folder and print the totals."""
    scorer = LANGUAGES[language].scorer
    lexer = replace(scorer, grammar=None) if isinstance(scorer, BracketScorer) else scorer
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix in LANGUAGES[language].extensions
    )[::every]
    totals: dict[str, Tally] = {}
    megabytes = reading = lexing = scoring = 0.0
    broken: list[str] = []
    collect_rarely()
    for path in paths:
        begin = time.process_time()
        text = read(path)
        middle = time.process_time()
        lexer.score_file(text)
        late = time.process_time()
        score = scorer.score_file(text)
        scoring += time.process_time() - late
        lexing += late - middle
        reading += middle - begin
        megabytes += path.stat().st_size / 1e6
        for key, tally in score.tallies.items():
            total = totals.get(key, Tally(0, 0))
            totals[key] = Tally(total.amount + tally.amount, total.of + tally.of)
        whole = score.tallies.get("file_balance_rate") or score.tallies["file_parse_rate"]
        if whole.amount < whole.of and score.first_error:
            line = text.count("\n", 0, score.first_error.offset) + 1
            broken.append(f"{path}:{line}: {score.first_error.message}")
    print(f"{language}: {len(paths)} files, {megabytes:.1f} MB, {len(broken)} not whole")
    for name, seconds in (("scored", scoring), ("lexed", lexing), ("read", reading)):
        print(f"{name} {megabytes / seconds:.1f} MB/s (one core)")
    for key, total in totals.items():
        print(f"  {key:30} {total.amount:12.6g} / {total.of:.6g}")
    print(*broken[:10], sep="\n")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4 or sys.argv[2] not in LANGUAGES:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
