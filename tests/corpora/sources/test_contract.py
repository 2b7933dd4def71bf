"""The contract of every kind of source; a new kind adds its fields to `fields_of`."""

import pickle
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from corpora.document import Divisible
from corpora.errors import SpecError
from corpora.sources import KINDS, parse_source
from tests.corpora.sources.github.api import ACCOUNT, Fake, Handler, row
from tests.corpora.sources.url.web import serving
from tests.corpora.sources.youtube.run import Collection, hold
from tests.corpora.sources.youtube.server import KEY, YoutubeServer, running

FILES = {"b.txt": "second\n", "a.txt": "first\n", "d/c.txt": "third\n"}
NAMES = [kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS]


@pytest.fixture
def fields_of(tmp_path, monkeypatch, make_repository):
    """The fields of a source of each kind, with its material on this machine."""
    root = make_repository(FILES)
    youtube = YoutubeServer()
    github = type("Bound", (Handler,), {"fake": Fake([row(root)])})
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running(youtube), serving(github) as github_url:
        hold(Collection(tmp_path, tmp_path / "state", youtube), 2, 1)
        monkeypatch.setenv("CHARMILL_YOUTUBE_KEY", KEY)
        monkeypatch.setenv("CHARMILL_YOUTUBE_ENDPOINT", youtube.url)
        monkeypatch.setenv("CHARMILL_STATE", str(tmp_path / "state"))
        monkeypatch.setenv("CHARMILL_GITHUB_API", github_url)
        yield {
            "folder": {"path": str(root), "include": ["*.txt"]},
            "git": {"repositories": [{"url": str(root)}]},
            "github_account": {"account": ACCOUNT},
            "url": {"urls": [(root / name).as_uri() for name in FILES]},
            "youtube": {"query": "flat earth"},
        }


@pytest.fixture(params=NAMES)
def source(request, fields_of):
    return parse_source({"kind": request.param, **fields_of[request.param]})


@pytest.fixture
def fetched(source, tmp_path):
    directory = tmp_path / "fetched"
    directory.mkdir()
    list(source.fetch(source.resolve(), directory))
    return directory


def test_a_source_is_frozen_and_refuses_unknown_fields(source):
    fields = source.model_dump(mode="json")
    with pytest.raises(ValidationError, match="frozen"):
        source.kind = "other"
    with pytest.raises(SpecError, match=f"source.{source.kind}.nosuch: Extra inputs"):
        parse_source({**fields, "nosuch": 1})


def test_a_source_survives_the_manifest(source):
    assert parse_source(source.model_dump(mode="json")) == source


def test_a_source_resolves_to_strings_and_to_the_same_ones_again(source):
    resolution = source.resolve()
    assert resolution
    assert all(isinstance(text, str) for pair in resolution.items() for text in pair)
    assert source.resolve() == resolution


def test_a_snapshot_lists_and_reads_the_same_in_another_process(source, fetched):
    snapshot = source.open(fetched)
    entries = list(snapshot.entries())
    assert len({(entry.source, entry.path) for entry in entries}) == len(entries) > 1
    assert list(source.open(fetched).entries()) == entries
    copied = pickle.loads(pickle.dumps(snapshot))
    assert list(copied.entries()) == entries
    read = list(copied.read(entries[::-1]))
    assert [entry for entry, _ in read] == entries[::-1]
    assert all(len(content) == entry.size for entry, content in read)


def test_a_finished_fetch_is_resumed_without_change(source, fetched):
    before = list(source.open(fetched).entries())
    list(source.fetch(source.resolve(), fetched))
    assert list(source.open(fetched).entries()) == before


def test_what_the_parts_of_a_fetch_bring_in_any_order_is_what_it_brings(source, fetched, tmp_path):
    directory = tmp_path / "parts"
    directory.mkdir()
    parts = source.parts(source.resolve(), directory)
    assert bool(parts) == (source.kind in ("git", "github_account"))
    for part in reversed(parts):
        pickle.loads(pickle.dumps(part))()
    list(source.fetch(source.resolve(), directory))
    opened = source.open(directory)
    assert list(opened.entries()) == list(source.open(fetched).entries())
    if isinstance(opened, Divisible):
        divided = opened.parts()
        listed = [entry for part in divided.values() for entry in part.entries()]
        assert listed == list(opened.entries())
        assert {entry.source for entry in listed} <= divided.keys()


def test_material_expires_if_and_only_if_it_has_a_retention(source, fetched):
    end = source.expiry(fetched)
    if source.retention is None:
        assert end is None
    else:
        assert datetime.now(UTC) < end <= datetime.now(UTC) + source.retention
        assert not source.is_shareable


def test_a_deleted_item_stays_deleted_when_its_material_is_fetched_again(source, fetched):
    if source.items is None:
        return
    entry = next(iter(source.open(fetched).entries()))
    assert source.items.count(fetched, entry.handle)
    source.items.delete(fetched, entry.handle)
    list(source.fetch(source.resolve(), fetched))
    assert source.items.is_deleted(fetched, entry.handle)
    assert source.items.count(fetched, entry.handle) == 0
    assert source.items.count(fetched.parent, entry.handle) is None
    assert [content for _, content in source.open(fetched).read([entry])] == [None]


def test_a_permalink_is_a_url_or_nothing(source, fetched):
    resolution = source.resolve()
    for entry in source.open(fetched).entries():
        link = source.permalink(resolution, entry.source, entry.path)
        assert link is None or link.startswith("https://")


def test_importing_the_kinds_opens_no_connection_and_loads_no_client():
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "import corpora.sources\n"
        "print([n for n in ('httpx', 'github', 'git', 'googleapiclient') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(SpecError, match=", ".join(map(repr, NAMES))):
        parse_source({"kind": "nosuch"})
