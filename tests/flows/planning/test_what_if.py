"""What a change of the filters would do: the numbers of a real build, without one."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from corpora.errors import SpecError
from flows.errors import DamageError, OptionError, StageError
from flows.options import Options
from flows.planning.effect_table import EFFECT_HEADERS, HEADERS, effect_lines, effect_rows, rows
from flows.planning.what_if import KEYS, what_if
from flows.reporting.artifacts import what_if_markdown
from tests.corpora.build.filtered import FILES
from tests.flows.planning.test_plan import make

TOML = """
title = "Filtered"
language = "python"

[source]
kind = "folder"
path = "{folder}"
license = "MIT"

[corpus]
extensions = [".py"]
exclude = [{{ paths = ["tests/"], reason = "tests" }}]
max_bytes = 9_000
split = {{ validation = 0.2, test = 0.2 }}
"""


@pytest.fixture
def filtered(tiny):
    """The dataset `tiny` with a file for every filter, fetched."""
    for name, content in FILES.items():
        path = tiny.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tiny.toml.write_text(TOML.format(folder=tiny.folder))
    make(tiny, "fetch")
    return tiny


def asked(tiny, *changes, overrides=()):
    steps = what_if("tiny", Options(overrides=overrides), changes, tiny.settings)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def store_state(tiny):
    """Everything in the store, with what a write would change."""
    states = ((path, path.lstat()) for path in sorted(tiny.store.root.rglob("*")))
    return {path: (one.st_ino, one.st_size, one.st_mtime_ns) for path, one in states}


def built(tiny, *overrides):
    """The ledger of a real build: reason to (files, bytes), and the number of held-out files."""
    make(tiny, "fetch", "corpus", overrides=overrides)
    run = tiny.store.runs("corpus", "tiny").last()
    files, sizes = Counter(), Counter()
    for row in pq.read_table(run.folder / "ledger.parquet").to_pylist():
        files[row["reason"]] += 1
        sizes[row["reason"]] += row["bytes"]
    splits = run.manifest.summary["splits"]
    held_out = splits["validation"]["documents"] + splits["test"]["documents"]
    return {reason: (files[reason], sizes[reason]) for reason in files}, held_out


def counted(found):
    """The same of a judgement."""
    dropped = {rule: (each.files, each.bytes) for rule, each in found.dropped.items()}
    return dropped | {None: (found.kept.files, found.kept.bytes)}, found.held_out.documents


CHANGES = [
    "text.max_line=200; corpus.max_bytes=4000",
    'extensions=[".py", ".txt"]',
    'text.license.allow=["MIT"]',
    "text.generated=false",
    "near_duplicates=drop",
    "near_threshold=0.5",
    "text.vendored=drop",
]


def test_the_numbers_are_those_of_building_with_the_change(filtered):
    found = asked(filtered, *CHANGES)
    assert list(found.effects) == CHANGES
    assert counted(found.now) == built(filtered)
    for change, effect in found.effects.items():
        overrides = [f"corpus.{part.removeprefix('corpus.')}" for part in change.split("; ")]
        assert counted(effect.then) == built(filtered, *overrides), change
        assert counted(effect.then) != counted(found.now) or change.startswith("near_threshold")


def test_numbers_of_a_corpus_that_is_there_are_taken_from_it_unless_it_is_damaged(filtered):
    first = asked(filtered, "max_bytes=4000")
    make(filtered, "fetch", "corpus")
    make(filtered, "fetch", "corpus", overrides=("corpus.max_bytes=4000",))
    steps = list(what_if("tiny", Options(), ["max_bytes=4000"], filtered.settings))
    assert not any("examined" in step.note for step in steps)
    assert asked(filtered, "max_bytes=4000").to_dict() == first.to_dict()
    for run in filtered.store.runs("corpus", "tiny").finished():
        (run.folder / "ledger.parquet").write_bytes(b"x" * 9)
    assert asked(filtered, "max_bytes=4000").to_dict() == first.to_dict()


def test_nothing_in_the_store_changes_and_nothing_stays_in_the_temporary_folder(
    filtered, tmp_path, monkeypatch
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = store_state(filtered)
    asked(filtered, "text.max_line=200")
    stopped = what_if("tiny", Options(), ["text.max_line=200"], filtered.settings)
    next(stopped)
    stopped.close()
    assert store_state(filtered) == before
    assert list(scratch.iterdir()) == []


def test_each_change_is_compared_with_the_current_settings_alone(filtered):
    alone = asked(filtered, "text.max_line=200").effects["text.max_line=200"]
    found = asked(filtered, "max_bytes=4000", "text.max_line=200")
    assert found.effects["text.max_line=200"] == alone
    moved = asked(filtered, "text.max_line=200", overrides=("corpus.max_bytes=4000",))
    assert moved.now == found.effects["max_bytes=4000"].then


def test_progress_never_goes_back_and_names_the_change(filtered):
    steps = list(what_if("tiny", Options(), ["text.max_line=200"], filtered.settings))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert steps[0].note.startswith("now: examined")
    assert steps[-1].note.startswith("text.max_line=200: ")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("text.max_lin=3", OptionError, "what-if text.max_lin=3: expected KEY=VALUE with KEY one"),
        ("text.max_line", OptionError, "one of extensions, include, exclude, max_bytes"),
        ("", OptionError, "expected KEY=VALUE"),
        ("=3", OptionError, "expected KEY=VALUE"),
        ("max_bytes=4; max_lin=3", OptionError, "what-if max_bytes=4; max_lin=3: expected"),
        ("train.learning_rate=1", OptionError, "a setting of the stage train, not of the corpus"),
        ("source.path=/", OptionError, "a setting of the stage fetch, not of the corpus"),
        ("text.max_line=wide", SpecError, r"text.max_line: .* \(given: 'wide'\)"),
        ("text.vendored=no", SpecError, "'label' or 'drop'"),
        ("extensions=.c", SpecError, r"extensions: Input should be a list, as \[\"a\", \"b\"\]"),
        ('text.license.allow=["MIT or so"]', SpecError, "is not one SPDX licence"),
        ("split.tset=0.1", OptionError, "expected KEY=VALUE"),
        ("split={tset=0.1}", SpecError, "split.tset: Extra inputs"),
        ("frozen=abcd", StageError, "corpus.frozen: tiny: no run of corpus"),
    ],
)
def test_a_wrong_change_is_one_line_with_what_is_allowed(filtered, change, error, message):
    with pytest.raises(error, match=message) as raised:
        asked(filtered, change)
    assert "\n" not in str(raised.value)


def test_every_setting_of_the_corpus_can_be_changed():
    assert {"extensions", "text.max_line", "text.license.deny", "normalise.ascii"} <= set(KEYS)
    assert "text" not in KEYS


def test_a_dataset_that_was_never_fetched_is_told_the_command(tiny):
    with pytest.raises(StageError, match="run `charmill run tiny --only fetch` first"):
        asked(tiny)


def test_a_damaged_fetch_is_not_judged(filtered):
    folder = filtered.store.runs("fetch", "tiny").last().folder
    largest = max(folder.rglob("*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"\0" * largest.stat().st_size)
    with pytest.raises(DamageError, match="its content has changed"):
        asked(filtered)


def test_a_source_that_was_changed_since_is_mentioned(filtered):
    assert asked(filtered).fetched.startswith("finished 20")
    filtered.toml.write_text(filtered.toml.read_text().replace('"MIT"', '"ISC"'))
    assert "not current: source.license MIT -> ISC" in asked(filtered).fetched


def test_the_table_shows_every_rule_the_totals_and_the_difference(filtered):
    found = asked(filtered, "text.max_line=200")
    effect = found.effects["text.max_line=200"]
    shown = {row[0]: row[1:] for row in effect_rows(found, effect)}
    assert {len(row) for row in effect_rows(found, effect)} == {len(EFFECT_HEADERS)}
    number = len(FILES) + 60  # those of `tiny`
    assert shown["in the source"][:3] == (f"{number:,}", f"{number:,}", "")
    assert shown["long lines"] == ("1", "2", "+1", "0.00", "0.00", "+0.00")
    kept = found.now.kept.files
    assert shown["kept"][:3] == (f"{kept:,}", f"{kept - 1:,}", "-1")
    assert list(shown)[-1] == "held-out documents"
    now = {row[0]: row[1:] for row in rows(found)}
    assert {len(row) for row in rows(found)} == {len(HEADERS)}
    assert now["long lines"] == ("1", "0.00", "corpus.text.max_line and max_mean_line")
    assert list(effect_lines(effect)) == [
        "newly dropped: 1 files",
        "  code/wide.py: long lines, a line of 332 characters",
    ]


def test_a_change_after_which_no_corpus_can_be_made_says_so(filtered):
    found = asked(filtered, "max_bytes=1", "max_bytes=9_000")
    refused, same = found.effects.values()
    first = next(iter(effect_lines(refused)))
    assert first.startswith("no corpus can be made with this change: kept 0 of")
    assert list(effect_lines(same)) == ["no file has another decision"]


def test_the_artifact_has_the_table_and_the_files_and_no_markup_of_theirs(filtered):
    (filtered.folder / "<b>|.py").write_text("# " + "wide words " * 30 + "\nx = 1\n" * 20)
    make(filtered, "fetch")
    text = what_if_markdown(asked(filtered, "text.max_line=200"))
    assert "## text.max\\_line=200" in text
    assert "| rule | files | then | +/- | MB | then | +/- |" in text
    assert "| long lines | 1 | 3 | +2 | 0.00 | 0.00 | +0.00 |" in text
    assert "- newly dropped: 2 files" in text
    assert "<b>" not in text
    assert "&lt;b&gt;\\|.py: long lines" in text


def test_the_whole_is_plain_json(filtered):
    found = json.loads(json.dumps(asked(filtered, "text.max_line=200").to_dict()))
    effect = found["effects"]["text.max_line=200"]
    assert effect["then"]["dropped"]["long lines"]["files"] == 2
    assert effect["dropped"][0]["reason"] == "long lines"
