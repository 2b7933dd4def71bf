"""No near-copy across the split, by a measure that shares no code with the search for them."""

import difflib
import hashlib
import random
import time
from itertools import combinations, product

import pytest

from benchmarks.near_copies import similarity as reference
from corpora.build.corpus import build_corpus
from corpora.corpus.parquet import read_documents
from corpora.corpus.summary import CorpusSummary, Leak
from corpora.dedup.characters import (
    CLASSES,
    LONG,
    MANY,
    classes_of,
    joined,
    possible_pairs,
    profile,
    similarity,
    sketched,
)
from corpora.dedup.minhash import candidate_pairs, shingles, sketch, verified
from corpora.dedup.minhash import similarity as jaccard
from corpora.dedup.tokens import PIECE, tokens
from corpora.document import Split
from corpora.spec import CorpusSpec
from tests.corpora.build.test_corpus import SPEC, FakeSnapshot, built, ledger, plain

NAMES = [f"{random.Random(number).getrandbits(40):x}" for number in range(3000)]
HAN = [chr(0x4E00 + number) for number in range(3000)]


def code(chance, lines):
    """Lines of made-up C."""
    return "".join(
        f"\tif ({chance.choice(NAMES)} == {chance.choice(NAMES)})\n"
        f"\t\t{chance.choice(NAMES)}({chance.choice(NAMES)}, {chance.randrange(99)});\n"
        for _ in range(lines)
    )


def edited(text, chance, share, alphabet):
    """The text with this share of its characters removed, and as many inserted elsewhere."""
    characters = list(text)
    for place in chance.sample(range(len(characters)), int(share * len(characters))):
        characters[place] = ""
    for place in chance.sample(range(len(characters)), int(share * len(characters))):
        characters[place] += chance.choice(alphabet)
    return "".join(characters)


def families(seed):
    """Some hundred files, most with relatives between .8 and 1 alike: edits here, names there."""
    chance = random.Random(seed)
    files = {}
    for family in range(60):
        text = code(chance, chance.choice((1, 2, 5, 20, 60)))
        files[f"{family}.py"] = text
        for relative in range(chance.randrange(6)):
            if relative % 2:
                name = chance.choice([word for word in text.split() if word[:1] not in "(=i"])
                other = text.replace(name[:6], f"v{relative}")
            else:
                other = edited(text, chance, chance.uniform(0, 0.15), "abc(;\n \u4e2d")
            files[f"{family}-{relative}.py"] = other
    return {name: text.encode() for name, text in files.items()}


def crossing(directory):
    """Held-out texts with a training text of at least 0.9, by brute force."""
    texts = {s: list(read_documents(directory, s)) for s in ("train", "validation", "test")}
    pairs = product([*texts["validation"], *texts["test"]], texts["train"])
    return [(a.path, b.path) for a, b in pairs if reference(a.text, b.text, 0.9)]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_no_held_out_text_has_a_training_text_of_nine_tenths_its_characters(tmp_path, seed):
    files = families(seed)
    apart = built(tmp_path, files, "apart", near_duplicates="ignore")
    assert len(crossing(apart)) > 15
    directory = built(tmp_path, files)
    assert crossing(directory) == []
    assert crossing(built(tmp_path, files, "first", near_duplicates="drop")) == []
    rows = ledger(directory)
    displaced = [row for row in rows.values() if "characters" in row["detail"]]
    assert len(displaced) > 5
    for row in displaced:
        other = row["duplicate_of"].removeprefix("s/")
        assert reference(files[row["path"]].decode(), files[other].decode(), 0.9)


def test_near_copies_that_are_frozen_on_two_sides_stay_and_are_named(tmp_path):
    chance = random.Random(9)
    text = code(chance, 20)
    files = {
        "a.py": text,
        "b.py": text.replace("if", "while"),
        "c.py": text.replace("if", "unless"),
    }
    splits: dict[str, Split] = {"a.py": "test", "b.py": "train"}
    contents = {name: content.encode() for name, content in files.items()}
    frozen = {hashlib.sha256(contents[name]).hexdigest(): split for name, split in splits.items()}
    spec = CorpusSpec.model_validate(SPEC)
    list(build_corpus(FakeSnapshot(plain() | contents), spec, tmp_path, frozen=frozen))
    rows = ledger(tmp_path)
    assert {name: rows[name]["split"] for name in splits} == splits
    assert rows["c.py"]["reason"] == "near-duplicate"
    leak = CorpusSummary.load(tmp_path).leak_after
    assert leak == Leak(files=1, characters=len(text), twins=(("s/a.py", "s/b.py"),))


def test_the_similarity_is_never_below_difflibs():
    chance = random.Random(3)
    for _ in range(40):
        text = code(chance, 4)
        other = edited(text, chance, chance.uniform(0, 0.1), "abc(;\n ")
        exact = reference(text, other)
        assert similarity(text, other, 0.01) == pytest.approx(exact)
        assert difflib.SequenceMatcher(None, text, other, autojunk=False).ratio() <= exact + 1e-9


def test_the_bounds_leave_out_no_pair_that_is_similar_enough():
    chance = random.Random(4)
    texts, alphabet = [], "".join(map(chr, range(33, 127))) + "\u4e2d\u6587"
    for _ in range(60):
        text = code(chance, chance.choice((1, 3, 10, 30)))
        texts += [text, edited(text, chance, chance.uniform(0.02, 0.1), alphabet)]
    profiles = joined([profile(text) for text in texts])
    pairs = possible_pairs(
        profiles, [0, 1] * 60, lambda _: pytest.fail("too few twins to look at runs")
    )
    proposed = {(a, b) for a, others in pairs for b in others}
    similar = {
        (a, b)
        for a, b in product(range(0, len(texts), 2), range(1, len(texts), 2))
        if reference(texts[a], texts[b], 0.9)
    }
    assert len(similar) > 30
    assert similar <= proposed
    assert len(proposed) < 60 * 60 / 8


def test_documents_with_a_rank_each_are_all_compared_once():
    chance = random.Random(5)
    texts = [text for _ in range(20) for text in [code(chance, 3)] * 2]
    texts = [edited(text, chance, 0.03, "abc(;\n ") for text in texts]
    profiles = joined([profile(text) for text in texts])
    pairs = possible_pairs(profiles, range(len(texts)), lambda _: pytest.fail("too few"))
    proposed = [(a, b) for a, others in pairs for b in others]
    similar = {(a, b) for a, b in combinations(range(40), 2) if reference(texts[a], texts[b], 0.9)}
    assert len(similar) >= 20
    assert similar <= set(proposed)
    assert len(set(proposed)) == len(proposed)


def shuffled_letters(chance, count):
    letters = code(chance, 40)
    return ["".join(chance.sample(letters, len(letters))) for _ in range(count)]


def words_of_one_vocabulary(chance, count):
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = ["".join(chance.choices(letters, k=chance.randint(2, 8))) for _ in range(5000)]
    return [" ".join(chance.choices(vocabulary, k=400)) for _ in range(count)]


@pytest.mark.parametrize("unrelated", [shuffled_letters, words_of_one_vocabulary])
def test_unrelated_texts_with_the_same_counts_are_compared_with_a_bounded_number(unrelated):
    """Twice as many texts must not need more comparisons."""

    def proposed(count: int) -> int:
        texts = unrelated(random.Random(7), count)
        profiles = joined([profile(text) for text in texts])
        runs = sketched(texts)
        pairs = possible_pairs(profiles, range(count), lambda numbers: runs[list(numbers)])
        return sum(len(others) for _, others in pairs)

    assert proposed(4 * MANY) <= proposed(2 * MANY) <= MANY * (MANY + 1) // 2


def test_runs_tell_a_twin_among_many_texts_with_the_same_counts():
    chance = random.Random(6)
    letters = code(chance, 40)
    texts = ["".join(chance.sample(letters, len(letters))) for _ in range(2 * MANY)]
    twin = edited(texts[0], chance, 0.05, "abc(;\n \u4e2d")
    asked = []

    def runs_of(numbers):
        asked.extend(numbers)
        return sketched(([*texts, twin])[number] for number in numbers)

    profiles = joined([profile(text) for text in [*texts, twin]])
    assert list(possible_pairs(profiles, [1] * len(texts) + [0], runs_of)) == [(len(texts), [0])]
    assert sorted(asked) == list(range(len(texts) + 1))


@pytest.mark.parametrize("alphabet", ["abc(;\n ", "abc(;\n \u4e2d\ud800\U0001f600"])
def test_the_classes_of_long_texts_rule_out_no_pair_that_is_similar_enough(alphabet):
    chance = random.Random(7)
    text = code(chance, 80)
    assert len(text) > LONG * 1.2
    edges = [edited(text, chance, share, alphabet) for share in (0.09, 0.097, 0.1, 0.103, 0.11)]
    others = [*edges, text[: LONG + 1], text + text[:900], code(chance, 80)]
    exact = [reference(text, other) for other in others]
    assert {value >= 0.9 for value in exact} == {True, False}
    for other, value in zip(others, exact, strict=True):
        assert similarity(text, other) == pytest.approx(value if value >= 0.9 else 0)


@pytest.mark.parametrize("text", ["", "abc aAqQ", "a\u4e2d\ud800b\U0001f600a"])
def test_classes_hold_every_character_once_and_in_order(text):
    classes = classes_of(text)
    assert len(classes) == CLASSES
    for number, part in enumerate(classes):
        assert part == "".join(each for each in text if ord(each) % CLASSES == number)


def test_chinese_that_is_wrapped_at_another_width_is_a_near_copy():
    chance = random.Random(5)
    for _ in range(60):
        text = "".join(chance.choices(HAN, k=2000))
        other = list(text)
        for place in chance.sample(range(2000), 10):
            other[place] = chance.choice(HAN)
        first, second = wrapped(text, 38), wrapped("".join(other), 40)
        assert jaccard(shingles(first), shingles(second)) >= 0.8


def wrapped(text, width):
    return "\n".join(text[begin : begin + width] for begin in range(0, len(text), width))


@pytest.mark.parametrize(
    "text",
    ["สวัสดีชาวโลก", "ສະບາຍດີ", "សួស្តី", "မင်္ဂလာပါ", "こんにちは", "你好世界", "𠀀𠀁😀"],
)
def test_scripts_without_blanks_are_compared_by_characters(text):
    assert len(tokens(text)) == len(text)
    assert (tokens(text) == tokens("\n".join(text))).all()


def test_a_formatter_changes_no_token():
    before = "foo( 'a',b_1 ) ;x=[1,2]  # one two\n# three"
    after = 'foo("a", b_1)\nx = [\n    1,\n    2,\n]  # one\n# two three\n'
    assert (tokens(before) == tokens(after)).all()


@pytest.mark.parametrize(
    ("text", "count"),
    [("foo_bar2 + 1", 3), ("na\u00efve \u0434\u0430", 2), ("a->b", 4), ("", 0), ("(;)", 0)],
)
def test_identifiers_are_whole_and_other_marks_are_tokens(text, count):
    assert len(tokens(text)) == count


def test_a_token_is_the_same_wherever_it_is():
    text = "alpha beta " * (PIECE // 11 + 2)
    assert len(set(tokens(text + "alpha").tolist())) <= 4  # one word is cut at the border
    assert tokens("x beta")[1] == tokens("gamma * beta")[1] != tokens("ebta")[0]


def test_thousands_of_near_identical_texts_take_seconds():
    chance = random.Random(6)
    words = chance.choices(NAMES, k=300)
    sets = []
    for _ in range(4000):
        other = list(words)
        other[chance.randrange(300)] = chance.choice(NAMES)
        sets.append(shingles(" ".join(other)))
    signatures = sketch(sets)
    began = time.process_time()
    pairs = candidate_pairs(signatures, 0.8)
    found = list(verified(pairs, sets.__getitem__, 0.8))
    assert len(found) == 3999
    assert time.process_time() - began < 10
