import subprocess
import sys
from datetime import timedelta

import pytest
from pydantic import ValidationError

from corpora.build.corpus import build_corpus
from corpora.build.metadata_filters import first_drop, metadata_rules
from corpora.corpus.parquet import read_documents
from corpora.errors import SourceError
from corpora.sources.youtube.credentials import read_key
from corpora.sources.youtube.quota import QuotaError
from corpora.sources.youtube.source import YoutubeSource
from corpora.sources.youtube.store import Listing, Video, VideoItems, expiry
from corpora.spec import CorpusSpec, load_dataset
from system.settings import Settings
from tests.corpora.sources.youtube.run import hold, source
from tests.corpora.sources.youtube.server import KEY, thread

TOML = """
title = "Flat earth"
language = "prose"
[source]
kind = "youtube"
query = "flat earth"
published_before = 2026-11-01
[corpus]
extensions = [".txt"]
"""
SPEC = CorpusSpec.model_validate({"extensions": [".txt"]})


def bytes_on_disk(directory):
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_a_toml_gives_a_source(tmp_path):
    (tmp_path / "flat.toml").write_text(TOML)
    spec = load_dataset("flat", [tmp_path])
    assert isinstance(spec.source, YoutubeSource)
    assert spec.source.parameters == {
        "q": "flat earth",
        "order": "relevance",
        "safeSearch": "moderate",
        "publishedBefore": "2026-11-01T00:00:00Z",
    }
    assert spec.source.resolve() == spec.source.resolve() == {"search": "flat earth"}


@pytest.mark.parametrize(
    "fields",
    [{"query": ""}, {"order": "best"}, {"region": "usa"}, {"max_videos": 0}, {"api_key": KEY}],
)
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValidationError):
        source(**fields)


def test_reading_a_dataset_loads_no_client():
    code = (
        "import sys, corpora.spec\n"
        "heavy = {'googleapiclient', 'httplib2', 'phonenumbers', 'tenacity'} & {*sys.modules}\n"
        "sys.exit(bool(heavy))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_key_and_the_server_come_from_the_environment(collection, monkeypatch):
    hold(collection, 2)
    monkeypatch.setenv("CHARMILL_YOUTUBE_KEY", KEY)
    monkeypatch.setenv("CHARMILL_STATE", str(collection.state))
    monkeypatch.setenv("CHARMILL_YOUTUBE_ENDPOINT", collection.server.url)
    made = source()
    steps = list(made.fetch(made.resolve(), collection.directory))
    assert (steps[-1].done, steps[-1].total, steps[-1].note) == (1, 1, "1 ok")
    assert collection.outcomes() == ["ok"]


def test_a_key_is_read_from_a_file_that_only_its_owner_reads(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    settings = Settings(youtube_key_file=path)
    assert read_key(settings).get_secret_value() == KEY
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(
            SourceError, match=rf"others than its owner may read it \(mode {mode:04o}\)"
        ) as e:
            read_key(settings)
        assert KEY not in str(e.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no API key; set CHARMILL_YOUTUBE_KEY, or CHARMILL_YOUTUBE_KEY_FILE"),
        ({"youtube_key_file": "/nowhere/key"}, "/nowhere/key: No such file"),
        ({"youtube_key": "two words"}, "CHARMILL_YOUTUBE_KEY: is not an API key"),
        ({"youtube_key": "a\r\nx-header: b"}, "CHARMILL_YOUTUBE_KEY: is not an API key"),
    ],
)
def test_a_missing_or_broken_key_is_one_clear_line(settings, message):
    with pytest.raises(SourceError, match=message):
        read_key(Settings(**settings))


def test_no_name_address_or_number_reaches_the_disk(collection):
    (name,) = hold(collection, 0)
    collection.server.threads[name] = [
        thread("Ugz-1", "mail jane@example.org or (650) 253-0000", "UC-jane-doe"),
        thread("Ugz-2", "me again", "UC-jane-doe"),
        thread("Ugz-3", "no account", authorChannelId=None, authorDisplayName="@john"),
        thread("Ugz-4", "a \ud83d half and a \0"),
    ]
    for closed in collection.server.threads[name][2:4]:
        del closed["snippet"]["topLevelComment"]["snippet"]["authorChannelId"]
    collection.run()
    everything = bytes_on_disk(collection.directory)
    for trace in (b"jane", b"john", b"Ugz", b"example.org", b"253-0000"):
        assert trace not in everything
    one, two, three, four = Video.load(collection.directory, name).comments
    assert one.author == two.author != three.author != four.author
    assert collection.texts()[f"{name}.txt"] == (
        "mail [e-mail] or [phone]\n\nme again\n\nno account\n\na \ufffd half and a \ufffd"
    )


def test_every_video_stands_in_the_listing_with_the_reason_of_its_absence(collection):
    hold(collection, 2, "commentsDisabled", 0, "videoNotFound")
    collection.run()
    entries = list(source().open(collection.directory).entries())
    assert [entry.problem for entry in entries] == [
        None,
        "comments disabled",
        None,
        "video not found",
    ]
    assert [entry.size > 0 for entry in entries] == [True, False, False, False]
    dropped = [first_drop(metadata_rules(SPEC), entry) for entry in entries]
    assert dropped[1] == ("not a regular file", "comments disabled")


def test_a_corpus_is_built_with_one_document_per_video(collection, tmp_path):
    names = hold(collection, *range(1, 61), "commentsDisabled")
    collection.run()
    (tmp_path / "corpus").mkdir()
    snapshot = source().open(collection.directory)
    # The comments of the fake are much alike.
    spec = SPEC.model_copy(update={"near_duplicates": "ignore"})
    list(build_corpus(snapshot, spec, tmp_path / "corpus"))
    paths = {
        document.path: split
        for split in ("train", "validation", "test")
        for document in read_documents(tmp_path / "corpus", split)
    }
    assert sorted(paths) == [f"{name}.txt" for name in names[:60]]
    assert set(paths.values()) == {"train", "validation", "test"}


def test_a_forgotten_video_is_gone_and_stays_away(collection):
    one, two = hold(collection, 3, 3)
    steps = collection.steps()
    next(steps)
    next(steps)
    steps.close()
    for name in (one, two):
        VideoItems().delete(collection.directory, name)
    assert f"on {one}".encode() not in bytes_on_disk(collection.directory)
    collection.run()
    assert collection.outcomes() == ["forgotten", "forgotten"]
    assert collection.texts() == {}
    assert collection.ledger() == [(1, 1)]
    with pytest.raises(SourceError, match=r"'\.\./x' is not a video id"):
        VideoItems().delete(collection.directory, "../x")


def test_a_video_that_is_forgotten_while_a_corpus_is_built_is_not_read(collection):
    (name,) = hold(collection, 3)
    collection.run()
    snapshot = source().open(collection.directory)
    entries = list(snapshot.entries())
    VideoItems().delete(collection.directory, name)
    assert [content for _, content in snapshot.read(entries)] == [None]


def test_unfinished_data_expires_and_is_fetched_anew_but_for_what_was_forgotten(collection):
    one, two = hold(collection, 1, 1)
    assert expiry(collection.directory) is None
    with pytest.raises(QuotaError):
        collection.run(units_per_day=1, retention_days=7)
    VideoItems().delete(collection.directory, two)
    assert expiry(collection.directory) == collection.now + timedelta(days=7)
    collection.server.threads[one] = [thread("new", "another comment")]
    collection.next_day(days=6)
    collection.run(retention_days=7)
    assert collection.texts() == {f"{one}.txt": f"comment 0 on {one}"}
    collection.next_day()
    collection.run(retention_days=7)
    assert collection.texts() == {f"{one}.txt": "another comment"}
    assert collection.outcomes() == ["ok", "forgotten"]
    assert Listing.load(collection.directory).began == collection.now
    assert collection.ledger() == [(1, 1), (1, 1)]


def test_a_retention_longer_than_youtubes_terms_is_refused():
    with pytest.raises(ValidationError, match="retention_days"):
        source(retention_days=31)


def test_what_a_killed_write_left_is_replaced(collection):
    (name,) = hold(collection, 1)
    (collection.directory / "videos").mkdir()
    left = collection.directory / "videos" / f"{name}.json.partial"
    left.write_text("half")
    collection.run()
    assert not left.exists()
