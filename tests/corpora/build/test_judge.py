"""Judging without building: the same ledger and summary, and what a change of settings does."""

import pytest

from corpora.build.corpus import BuildSizes, build_corpus, judge_corpus
from corpora.build.effect import effect, judgement
from corpora.corpus.parquet import LEDGER
from corpora.corpus.summary import SUMMARY
from corpora.dedup.split import split_of
from corpora.errors import CorpusError
from corpora.spec import CorpusSpec, SplitSpec, merged
from flows.options import parse_overrides
from flows.planning.what_if import overrides_of
from tests.corpora.build.filtered import CHANGES, FILES, SPEC
from tests.corpora.build.test_corpus import FakeSnapshot, plain
from tests.corpora.build.test_sides import BOOK

BOOKS = {f"book{i}.py": BOOK.replace("w", f"v{i}").encode() for i in range(4)}


def spec_with(change):
    return CorpusSpec.model_validate(merged(SPEC, parse_overrides(overrides_of(change))["corpus"]))


def judged(directory, files, spec, **options):
    """The outcome of `judge_corpus`, and why no corpus can be made."""
    directory.mkdir()
    steps = judge_corpus(FakeSnapshot(files), spec, directory, **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return judgement(directory, end.value)


def built(directory, files, spec, **options):
    directory.mkdir()
    list(build_corpus(FakeSnapshot(files), spec, directory, **options))


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        *((FILES, spec_with(change).model_dump()) for change in CHANGES),
        (FILES, SPEC | {"sample_bytes": 20_000}),
        (FILES, SPEC | {"near_threshold": 0.5}),
        (FILES, SPEC | {"near_threshold": 1}),
        (FILES, SPEC | {"split": {"validation": 0.3, "test": 0.01, "salt": "other"}}),
        (FILES, SPEC | {"normalise": {"uppercase_mark": "^"}}),
        (plain(5), SPEC | {"split": {"validation": 0.01, "test": 0.01}}),
        (BOOKS, SPEC | {"part_characters": 1_000, "max_bytes": 10**6}),
        ({"one.py": BOOK.encode()}, SPEC | {"max_bytes": 10**6}),
    ],
)
def test_the_ledger_and_the_summary_are_those_of_the_build_byte_for_byte(tmp_path, files, changes):
    spec = CorpusSpec.model_validate(changes)
    assert judged(tmp_path / "judged", files, spec).problem == ""
    built(tmp_path / "built", files, spec)
    for name in (LEDGER, SUMMARY):
        assert (tmp_path / "judged" / name).read_bytes() == (tmp_path / "built" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "judged").iterdir()) == [LEDGER, SUMMARY]


def test_frozen_documents_and_several_processes_give_the_same(tmp_path):
    spec = CorpusSpec.model_validate(SPEC)
    digest = "0" * 64
    options = {"frozen": {digest: split_of(digest, SplitSpec())}}
    sizes = BuildSizes(batch_bytes=2_000, parallel_bytes=0, shard_bytes=4_000)
    judged(tmp_path / "judged", FILES, spec, workers=2, sizes=sizes, **options)
    built(tmp_path / "built", FILES, spec, **options)
    for name in (LEDGER, SUMMARY):
        assert (tmp_path / "judged" / name).read_bytes() == (tmp_path / "built" / name).read_bytes()


def test_what_a_build_would_refuse_is_judged_with_its_words(tmp_path):
    spec = CorpusSpec.model_validate(SPEC | {"max_bytes": 1})
    found = judged(tmp_path / "judged", FILES, spec)
    with pytest.raises(CorpusError) as refused:
        built(tmp_path / "built", FILES, spec)
    assert found.problem == str(refused.value)
    assert found.kept.files == 0
    assert found.dropped["too large"].files == len(FILES) - 3


@pytest.mark.parametrize(("change", "moved"), CHANGES.items())
def test_a_change_moves_the_count_of_its_own_rule(tmp_path, change, moved):
    specs = CorpusSpec.model_validate(SPEC), spec_with(change)
    folders = tmp_path / "now", tmp_path / "then"
    now, then = (judged(folder, FILES, spec) for folder, spec in zip(folders, specs, strict=True))
    found = effect(now, then, folders, specs)

    def files(of, rule):
        return of.dropped[rule].files if rule in of.dropped else 0

    counts = {rule: (files(now, rule), files(then, rule)) for rule in found.rules}
    assert {rule: pair for rule, pair in counts.items() if pair[0] != pair[1]} == moved
    assert len(found.dropped) - len(found.kept) == now.kept.files - then.kept.files
    assert now.seen == then.seen
    assert then.kept.files + sum(rule.files for rule in then.dropped.values()) == then.seen.files
    assert then.kept.bytes + sum(rule.bytes for rule in then.dropped.values()) == then.seen.bytes


def test_the_files_with_another_decision_are_named_with_the_rule_and_what_it_saw(tmp_path):
    specs = CorpusSpec.model_validate(SPEC), spec_with("text.max_line=200; text.secrets=false")
    folders = tmp_path / "now", tmp_path / "then"
    found = [judged(folder, FILES, spec) for folder, spec in zip(folders, specs, strict=True)]
    changed = effect(*found, folders, specs)
    assert [(f.name, f.reason, f.detail) for f in changed.dropped] == [
        ("s/wide.py", "long lines", "a line of 332 characters")
    ]
    assert [(f.name, f.reason, f.detail) for f in changed.kept] == [
        ("s/token.py", "secret", "AWS access key")
    ]
    assert (changed.other_rule, changed.moved) == (0, 0)


def test_a_copy_is_kept_once_its_original_is_dropped(tmp_path):
    specs = CorpusSpec.model_validate(SPEC), spec_with("text.vendored=drop")
    folders = tmp_path / "now", tmp_path / "then"
    files = {"vendor/lib.py": FILES["vendor/lib.py"], "zoo.py": FILES["vendor/lib.py"]} | plain()
    found = [judged(folder, files, spec) for folder, spec in zip(folders, specs, strict=True)]
    changed = effect(*found, folders, specs)
    assert [(f.name, f.reason) for f in changed.dropped] == [("s/vendor/lib.py", "vendored")]
    assert [(f.name, f.reason, f.detail) for f in changed.kept] == [
        ("s/zoo.py", "duplicate", "of s/vendor/lib.py")
    ]
