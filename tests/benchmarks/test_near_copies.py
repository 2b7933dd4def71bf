import random

import pytest

from benchmarks.near_copies import main, similarity, twins
from corpora.corpus.parquet import read_documents
from tests.corpora.build.test_corpus import built


def slow_similarity(first, second):
    """By the table of every textbook."""
    row = [0] * (len(second) + 1)
    for one in first:
        before = row[:]
        for place, two in enumerate(second):
            best = max(before[place + 1], row[place])
            row[place + 1] = before[place] + 1 if one == two else best
    return 2 * row[-1] / (len(first) + len(second))


def test_the_similarity_is_that_of_the_textbook():
    chance = random.Random(1)
    for _ in range(300):
        first, second = (
            "".join(chance.choices("abc\u4e2d", k=chance.randint(1, 40))) for _ in "ab"
        )
        exact = slow_similarity(first, second)
        assert similarity(first, second) == pytest.approx(exact)
        least = chance.random()
        assert (similarity(first, second, least) > 0) == (exact >= least and exact > 0)


def varied(seed):
    """Texts with letters changed, from a few to many."""
    chance = random.Random(seed)
    files = {}
    for number in range(50):
        letters = chance.choices("etaoin shrdlu\n\u00e9", k=chance.randint(20, 90))
        for relative in range(3):
            for _ in range(len(letters) // 20):
                letters[chance.randrange(len(letters))] = chance.choice("xyz")
            files[f"{number}-{relative}.py"] = "".join(letters).encode()
    return files


def test_the_bounds_lose_no_twin(tmp_path):
    files = varied(2)
    corpus = built(tmp_path, files, near_duplicates="ignore")
    found = {twin.held_out.path: twin.similarity for twin in twins(corpus, 0.9)}
    assert len(found) > 20
    sides = {twin.training.split for twin in twins(corpus, 0.9)}
    assert sides == {"train"}
    training = list(read_documents(corpus, "train"))
    for split in ("validation", "test"):
        for document in read_documents(corpus, split):
            best = max(slow_similarity(document.text, other.text) for other in training)
            assert found.get(document.path, 0) == pytest.approx(best if best >= 0.9 else 0)


def test_it_names_every_held_out_text_with_its_twin(tmp_path, capsys):
    corpus = built(tmp_path, varied(3), near_duplicates="ignore")
    assert main([str(corpus)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.split()[1] in ("validation", "test") and "s/" in line for line in lines[:-1])
    assert lines[-1].startswith(f"{len(lines) - 1} of ")


def test_it_finds_nothing_in_a_corpus_as_it_is_built(tmp_path, capsys):
    assert main([str(built(tmp_path, varied(4)))]) == 0
    assert capsys.readouterr().out.startswith("0 of ")
