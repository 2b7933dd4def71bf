"""The guarantees of the split, on generated corpora, checked with brute-force similarities.

1. No copy and no near-copy of a training text is held out.
2. Adding a file moves no other file to another split.
3. It drops none unless it is a near-copy, and then only near-copies of it that are less held out.
4. Frozen documents are not dropped either, and 1 still holds.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks.near_copies import similarity as reference
from corpora.build.corpus import build_corpus
from corpora.corpus.parquet import read_documents, read_split
from corpora.dedup.characters import SIDES, Runs, joined, profile, similarity, sketched
from corpora.dedup.clusters import Twin
from corpora.dedup.decontaminate import decide
from corpora.dedup.minhash import Hashes, Numbers, Signatures, sketch
from corpora.dedup.minhash import shingles as hashed_shingles
from corpora.document import Entry, Outcome, Split
from corpora.spec import CorpusSpec
from tests.corpora.build.test_corpus import SPEC, FakeSnapshot, built, ledger

THRESHOLD = 0.8
TRIALS = [20, pytest.param(400, marks=pytest.mark.slow)]
WORDS = [f"{random.Random(number).getrandbits(32):x}" for number in range(400)]


def text_of(words: list[str]) -> bytes:
    """The words, five per line."""
    lines = (" ".join(words[i : i + 5]) for i in range(0, len(words), 5))
    return ("\n".join(lines) + "\n").encode()


def changed(words: list[str], places: int, chance: random.Random) -> list[str]:
    """The words with some replaced, far apart: each replacement changes at most 5 shingles."""
    result = list(words)
    for place in chance.sample(range(2, len(words) - 2, 7), places):
        result[place] = f"new{chance.random()}"
    return result


def generated(seed: int, texts: int = 200) -> dict[str, bytes]:
    """Texts of 150 words; a third have copies, near-copies or both, some copies of copies."""
    chance = random.Random(seed)
    files = {}
    for number in range(texts):
        words = chance.choices(WORDS, k=150)
        files[f"t{number}.py"] = text_of(words)
        if number % 3 == 0:
            for copy in range(chance.randint(1, 4)):
                words = changed(words, chance.randint(0, 5), chance)
                files[f"t{number}-{copy}.py"] = text_of(words)
    names = chance.sample(sorted(files), len(files))
    return {name: files[name] for name in names}


def shingles(text: str) -> set[tuple[str, ...]]:
    """Every sequence of five words, by definition."""
    words = text.split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def digest_of(text: str) -> str:
    """The digest that identifies a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def near(first: set[tuple[str, ...]], second: set[tuple[str, ...]]) -> bool:
    """Whether the Jaccard similarity reaches the threshold."""
    return len(first & second) >= THRESHOLD * len(first | second)


def crossing(directory: Path) -> list[tuple[str, str]]:
    """Pairs of copies or near-copies in different splits."""
    found = [(d.path, s, d.text) for s in SIDES for d in read_documents(directory, s)]
    known = {text: shingles(text) for _, _, text in found}
    return [
        (a[0], b[0])
        for a, b in combinations(found, 2)
        if a[1] != b[1] and (near(known[a[2]], known[b[2]]) or reference(a[2], b[2], 0.9))
    ]


class FakeTexts:
    """Texts in memory."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.outcomes = [
            Outcome(
                entry=Entry(source="s", path=str(number), size=len(text), handle=""),
                sha256=digest_of(text),
                characters=len(text),
            )
            for number, text in enumerate(texts)
        ]
        self.hashes = [shingles_of(text) for text in texts]
        self.signatures = np.concatenate([signature_of(text) for text in texts])
        self.profiles = joined([profile_of(text) for text in texts])

    def shingles(self, positions: Sequence[int]) -> dict[int, Hashes]:
        """The shingles of some."""
        return {position: self.hashes[position] for position in positions}

    def runs(self, positions: Sequence[int]) -> Runs:
        """MinHash of the runs of some."""
        return sketched(self.texts[position] for position in positions)

    def in_order(
        self, function: Callable[[Signatures], Numbers], bands: Iterable[Signatures]
    ) -> Iterator[Numbers]:
        """Apply a function to every band."""
        return map(function, bands)

    def first_twins(self, others: Mapping[int, Sequence[int]]) -> Iterator[Twin]:
        """The first similar one of each."""
        for position, numbers in others.items():
            for number in numbers:
                alike = compared(self.texts[position], self.texts[number])
                if alike:
                    yield Twin(position=position, other=number, similarity=alike)
                    break


shingles_of = cache(hashed_shingles)
profile_of = cache(profile)
compared = cache(similarity)


@cache
def signature_of(text: str) -> Signatures:
    """The signature of one text, (1, P)."""
    return sketch([shingles_of(text)])


class Trials:
    """Splits some texts, and the same texts with one more, without any files."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.splits = self.decided(self.texts, {})

    def decided(self, texts: Sequence[str], frozen: Mapping[str, Split]) -> dict[str, Split | None]:
        """Split of every text that is kept."""
        found = decide(FakeTexts(texts), CorpusSpec.model_validate(SPEC), frozen)
        return {texts[int(o.entry.path)]: o.split for o in found.outcomes if o.reason is None}

    def with_one_more(
        self, text: str, place: int, frozen: Mapping[str, Split]
    ) -> dict[str, Split | None]:
        """The same with one more text."""
        return self.decided([*self.texts[:place], text, *self.texts[place:]], frozen)

    def frozen(self) -> dict[str, Split]:
        """A frozen corpus: digest to split."""
        return {digest_of(text): split for text, split in self.splits.items() if split}

    def moved(self, after: Mapping[str, Split | None]) -> set[str]:
        """The texts that are in another split than before."""
        return {t for t, split in after.items() if t in self.splits and self.splits[t] != split}

    def dropped(self, after: Mapping[str, Split | None]) -> set[str]:
        """The texts that are in no split any more."""
        return self.splits.keys() - after.keys()


def cluster_around(text: str, others: Sequence[str]) -> set[str]:
    """All texts reachable through a chain of near-copies, by brute force."""
    known = {other: shingles(other) for other in others}
    found, edge = set(), [shingles(text)]
    while edge:
        here = edge.pop()
        joined = {other for other, there in known.items() if near(here, there)}
        edge += [known.pop(other) for other in joined]
        found |= joined
    return found


@pytest.mark.parametrize("texts", [80, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_no_copy_and_no_near_copy_stands_on_two_sides(tmp_path: Path, seed: int, texts: int):
    files = generated(seed, texts)
    directory = built(tmp_path, files)
    assert crossing(directory) == []
    apart = built(tmp_path, files, "apart", near_duplicates="ignore")
    assert len(crossing(apart)) > texts // 10


@pytest.mark.parametrize("number", TRIALS)
def test_a_file_that_is_nobodys_near_copy_changes_nothing(number: int):
    chance = random.Random(11)
    trials = Trials([content.decode() for content in generated(1).values()])
    for _ in range(number):
        text = text_of(chance.choices(WORDS, k=chance.randint(5, 300))).decode()
        after = trials.with_one_more(text, chance.randrange(len(trials.texts)), {})
        assert after.pop(text) in SIDES
        assert after == trials.splits


@pytest.mark.parametrize("number", TRIALS)
def test_a_near_copy_moves_nothing_and_drops_only_what_is_less_held_out(number: int):
    chance = random.Random(12)
    trials = Trials([content.decode() for content in generated(2).values()])
    dropping = refused = 0
    for _ in range(number):
        words = changed(chance.choice(trials.texts).split(), chance.randint(1, 3), chance)
        text = text_of(words).decode()
        place = chance.randrange(len(trials.texts))
        after = trials.with_one_more(text, place, {})
        dropped = trials.dropped(after)
        assert trials.moved(after) == set()
        alike = {other for other in dropped if reference(text, other, 0.9)}
        assert dropped <= cluster_around(text, trials.texts) | alike
        sides = {trials.splits[other] for other in dropped}
        cluster = {trials.splits.get(other) for other in cluster_around(text, trials.texts)}
        assert (
            not sides
            or min([*cluster - {None}, after.get(text, "train")], key=SIDES.index) not in sides
        )
        dropping += bool(dropped)
        refused += text not in after
        held = trials.with_one_more(text, place, trials.frozen())
        assert (trials.moved(held), trials.dropped(held)) == (set(), set())
    assert dropping  # otherwise this test checked nothing
    assert refused


def test_a_near_copy_of_frozen_texts_on_two_sides_is_dropped_and_moves_neither(tmp_path: Path):
    chance = random.Random(13)
    middle = chance.choices(WORDS, k=150)
    ends = [changed(middle, 10, chance) for _ in range(24)]
    files = generated(3, 80) | {f"end{i}.py": text_of(words) for i, words in enumerate(ends)}
    first = built(tmp_path, files)
    rows = ledger(first)
    assert {rows[f"end{i}.py"]["split"] for i in range(24)} >= set(SIDES)
    held = tmp_path / "held"
    held.mkdir()
    more = {"added.py": text_of(middle)} | files
    spec = CorpusSpec.model_validate(SPEC)
    list(build_corpus(FakeSnapshot(more), spec, held, frozen=read_split(first)))
    after = ledger(held)
    assert {path: after[path]["split"] for path in rows} == {p: r["split"] for p, r in rows.items()}
    assert after["added.py"]["reason"] == "near-duplicate"
    assert crossing(held) == []
