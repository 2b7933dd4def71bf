import dataclasses

from corpora.corpus.summary import CorpusSummary, Leak, SplitSize
from corpora.spec import CorpusSpec
from flows.stages.evaluate import _notes

NONE = Leak(files=0, characters=0)
SUMMARY = CorpusSummary(
    digest="0",
    seen=(1, 1),
    funnel=(),
    splits={"train": SplitSize(documents=9, characters=9_000)},
    licenses={},
    leak_before=NONE,
    leak_after=NONE,
)
SPEC = CorpusSpec(extensions=(".py",))


def notes(**changes):
    return list(_notes(dataclasses.replace(SUMMARY, **changes), SPEC))


def test_a_corpus_without_near_copies_is_said_to_have_none():
    assert notes() == ["No held-out file has a copy or near-copy in the training text."]


def test_avoided_leakage_is_counted():
    (note,) = notes(leak_before=Leak(files=3, characters=1_200))
    assert "in a split by file name at least 3 (1,200 characters), in this split 0" in note
