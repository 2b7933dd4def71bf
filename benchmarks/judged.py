"""Which real files count as generated, vendored or secret-bearing, and a sample to check by eye.

    python -m benchmarks.judged FOLDER [--files 50000] [--save FILE] [--against FILE] [--read N]

Every folder in FOLDER is a project, as unpacked; a single folder in it is entered. The files are
chosen by a hash of their paths, as many of each project as there are, up to a limit that makes the
sum right. Each is read, decoded and judged as the corpus stage does it, by each kind of rule alone.

Printed are the number of files found by kind and rule, the megabytes judged per second, and files
that are not found though a plain search for words, which shares no code with the rules, finds them.
--save writes the judgements; --against compares them with those of another version, saved by
running this file with that version's checkout in PYTHONPATH. --read prints the first lines of N
found files of each kind and of N files that are not found, always the same ones for one --seed.
"""

import argparse
import csv
import hashlib
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from corpora.filters.content import TextRules
from corpora.text.decoding import UndecodableError, decode

SUFFIXES = """
    c h cc cpp cxx hpp hh m mm java kt scala groovy cs fs vb go rs swift zig py pyi rb pl pm php
    lua tcl r R jl js mjs cjs ts tsx jsx vue css scss hs lhs ml mli erl hrl ex exs el lisp clj scm
    nim pas pp inc f f90 S s asm sh bash bat ps1 awk sql proto thrift g4 y l html xml json yaml
    yml toml cmake mk ac am in m4 lock dart d ads adb vim pem key env cfg ini properties
"""
SUFFIX_SET = frozenset(f".{word}" for word in SUFFIXES.split())
MAX_BYTES = 1_000_000
HEAD_LINES = 12
NOTHING: dict[str, int | bool] = {
    "max_line": 0,
    "max_mean_line": 0,
    "min_letters": 0,
    "generated": False,
    "secrets": False,
}
KINDS = {
    "generated": TextRules.model_validate(NOTHING | {"generated": True}),
    "secret": TextRules.model_validate(NOTHING | {"secrets": True}),
}
VENDORED = "vendored"
MARKERS = {
    "generated": re.compile(
        r"generated (?:by|from|with|using|automatically|file|code)|auto-?generated|do not edit"
        r"|automatically generated|machine generated",
        re.IGNORECASE,
    ),
    "secret": re.compile(
        r"BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}|xox[abp]-\d|AIza[\w-]{35}"
        r"|sk_live_\w{16}|glpat-[\w-]{20}|eyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20}"
    ),
    "vendored": re.compile(
        r"(?i)(?:^|/)(?:[\w-]*vendor(?:ed)?|third[-_]?party|3rd[-_]?party|extern(?:al)?s?|contrib"
        r"|deps|bundled|node_modules)/"
    ),
}
"""What a plain search looks for: in the first lines, anywhere, and in the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A file and what is found.

    Attributes:
        path: below FOLDER, with the project.
        found: what the rules say, by kind.
        hints: what the plain search finds, by kind.
        seconds: used by the rules of each kind.
    """

    path: str
    bytes: int
    found: dict[str, str]
    hints: dict[str, str]
    seconds: dict[str, float]


def project_root(folder: Path) -> Path:
    """The folder of a project, without those around it that hold nothing else."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return project_root(inside[0]) if len(inside) == 1 and inside[0].is_dir() else folder


def chosen(folder: Path, wanted: int) -> list[tuple[Path, Path]]:
    """Pairs (root of a project, path in it) of `wanted` files, or of all if there are fewer."""
    by_project = []
    for project in sorted(path for path in folder.iterdir() if path.is_dir()):
        root = project_root(project)
        names = (Path(parent, name) for parent, _, files in os.walk(root) for name in files)
        fitting = [path for path in names if _fits(path)]
        by_project.append((root, sorted((p.relative_to(root) for p in fitting), key=_order)))
    left, pairs = wanted, []
    by_project.sort(key=lambda pair: len(pair[1]))
    for index, (root, paths) in enumerate(by_project):
        share = left // (len(by_project) - index)
        pairs += [(root, path) for path in paths[:share]]
        left -= len(paths[:share])
    return pairs


def judge(pair: tuple[Path, Path]) -> Judged | None:
    """Judge one file; None if it is no text."""
    root, path = pair
    content = (root / path).read_bytes()
    try:
        text = decode(content).text
    except UndecodableError:
        return None
    found, seconds = {}, {}
    for kind, rules in KINDS.items():
        begin = time.process_time()
        dropped = rules.first_drop(path.as_posix(), text, None)
        seconds[kind] = time.process_time() - begin
        if dropped is not None:
            found[kind] = dropped[1] or kind
    begin = time.process_time()
    if KINDS["generated"].is_vendored(path.as_posix()):
        found[VENDORED] = next(iter(path.parts[:-1]), path.name)
    seconds[VENDORED] = time.process_time() - begin
    searched = {
        "generated": "\n".join(text[:10_000].split("\n", 40)[:40]),
        "secret": text,
        VENDORED: path.as_posix(),
    }
    hints = {kind: MARKERS[kind].search(where) for kind, where in searched.items()}
    return Judged(
        path=f"{root}//{path.as_posix()}",
        bytes=len(content),
        found=found,
        hints={kind: hint.group() for kind, hint in hints.items() if hint},
        seconds=seconds,
    )


def report(files: Sequence[Judged]) -> Iterator[str]:
    """Counts by kind and rule, speed, and how many files of the plain search are not found."""
    size = sum(file.bytes for file in files) / 1e6
    yield f"{len(files):,} files, {size:,.0f} MB"
    for kind in (*KINDS, VENDORED):
        found = [file for file in files if kind in file.found]
        hinted = [file for file in files if kind in file.hints]
        missed = [file for file in hinted if kind not in file.found]
        seconds = sum(file.seconds[kind] for file in files)
        yield f"\n{kind}: {len(found):,} found, {size / seconds:,.0f} MB/s"
        yield f"  the plain search finds {len(hinted):,}, of which {len(missed):,} are not found"
        for detail, count in Counter(file.found[kind] for file in found).most_common(20):
            yield f"  {count:6,}  {detail}"


def compared(files: Sequence[Judged], before: Path) -> Iterator[str]:
    """How many more and fewer are found than by the judgements saved in `before`."""
    earlier = defaultdict(set)
    with before.open(encoding="utf-8", newline="") as lines:
        for path, kind, _ in csv.reader(lines, delimiter="\t"):
            earlier[kind].add(path)
    for kind in (*KINDS, VENDORED):
        now = {file.path for file in files if kind in file.found}
        old = earlier[kind] & {file.path for file in files}
        yield f"{kind}: {len(old):,} before, {len(now - old):,} more, {len(old - now):,} fewer"
        yield from (f"  - {path}" for path in sorted(old - now, key=_digest)[:20])


def to_read(files: Sequence[Judged], count: int, seed: int) -> Iterator[str]:
    """The first lines of `count` found files of each kind, and of `count` that nothing finds."""
    groups = {kind: [f for f in files if kind in f.found] for kind in (*KINDS, VENDORED)}
    for kind in tuple(groups):
        groups[f"{kind}, plain search only"] = [
            f for f in files if kind in f.hints and kind not in f.found
        ]
    groups["nothing found"] = [file for file in files if not file.found]
    for title, members in groups.items():
        members.sort(key=lambda file: _digest(f"{seed} {file.path}"))
        for file in members[:count]:
            yield f"\n=== {title}: {file.path} ({file.found or file.hints})"
            text = decode(Path(file.path).read_bytes()).text
            yield from (f"    {line[:110]}" for line in text.split("\n")[:HEAD_LINES])


def main(arguments: Sequence[str]) -> None:
    """Judge the files and print the reports asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judged")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--save", type=Path, metavar="FILE")
    parser.add_argument("--against", type=Path, metavar="FILE")
    parser.add_argument("--read", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with ProcessPoolExecutor() as pool:
        results = pool.map(judge, chosen(asked.folder, asked.files), chunksize=200)
        files = [file for file in results if file is not None]
    print(*report(files), sep="\n")
    if asked.against:
        print("", *compared(files, asked.against), sep="\n")
    if asked.save:
        with asked.save.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines, delimiter="\t")
            writer.writerows((f.path, kind, by) for f in files for kind, by in f.found.items())
    print(*to_read(files, asked.read, asked.seed), sep="\n")


def _fits(path: Path) -> bool:
    named = path.suffix in SUFFIX_SET or path.name in ("configure", "Makefile", "Rakefile")
    return named and path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES


def _order(path: Path) -> str:
    return _digest(path.as_posix())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
