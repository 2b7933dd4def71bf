import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.sources.folder import FolderSource
from corpora.sources.youtube.privacy import load_salt, masked, pseudonym


def test_a_salt_is_made_once_and_only_its_owner_reads_it(tmp_path):
    salt = load_salt(tmp_path)
    assert load_salt(tmp_path) == salt
    assert stat.S_IMODE((tmp_path / "salt").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["salt"]


def test_a_pseudonym_holds_within_a_dataset_and_says_nothing_across(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = load_salt(tmp_path / "a"), load_salt(tmp_path / "b")
    assert pseudonym(one, "UC1") == pseudonym(one, "UC1") != pseudonym(one, "UC2")
    assert pseudonym(one, "UC1") != pseudonym(other, "UC1")
    assert len(pseudonym(one, "UC1")) == 16


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to jo.e+x@mail.example.co.uk!", "write to [e-mail]!"),
        ("a@b.cc, c@d.ee", "[e-mail], [e-mail]"),
        ("5 @ 3.50 each, user@host, @me", "5 @ 3.50 each, user@host, @me"),
        ("call (650) 253-0000 now", "call [phone] now"),
        ("ring +44 20 7031 3000 or +1 650-253-0000.", "ring [phone] or [phone]."),
        ("the sun is 149,597,870 km away, in 2026", "the sun is 149,597,870 km away, in 2026"),
        ("1000000 people, 12345678901234567890", "1000000 people, 12345678901234567890"),
    ],
)
def test_addresses_and_numbers_are_masked_and_prose_is_not(text, kept):
    assert masked(text, "US") == kept


def test_the_region_says_how_local_numbers_are_read():
    assert masked("01 44 94 81 81", "FR") == "[phone]"
    assert masked("01 44 94 81 81", "US") == "01 44 94 81 81"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ask @john_doe, (@jane.roe-2)!", "ask [handle], ([handle])!"),
        ("@@reply to a reply", "[handle] to a reply"),
        ("@abc. @ab. @abc... @abc-", "[handle]. @ab. [handle]... [handle]-"),
        ("@j\u00f6rn\u00b7b \u5218 @\u5218\u5907 \uff20name", "[handle] \u5218 [handle] [handle]"),
        ("@\u0930\u093e\u091c\u0947\u0936 ji", "[handle] ji"),
        ("youtube.com/@some-one/videos", "youtube.com/[handle]/videos"),
        ("youtube.com/@%E5%A4%AA%E9%83%8E?a=1", "youtube.com/[handle]?a=1"),
        ("@one@two jo@x.org@three", "[handle] [e-mail][handle]"),
        ("@" + "a" * 30 + " @" + "a" * 31, "[handle] [handle]a"),
        ("@ @@ @... @- nothing", "@ @@ @... @- nothing"),
    ],
)
def test_handles_are_masked(text, kept):
    assert masked(text, "US") == kept


def test_plain_names_are_not_masked_and_nobody_should_think_so():
    assert masked("thank you, Jane Doe", "US") == "thank you, Jane Doe"


def test_code_of_other_sources_is_never_masked(tmp_path):
    code = "# jane@example.org, (650) 253-0000\n@property\n@functools.cache\ndef f(): ...\n"
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "a.py").write_text(code)
    folder = FolderSource(kind="folder", path=str(tmp_path / "in"))
    list(folder.fetch(folder.resolve(), tmp_path / "out"))
    snapshot = folder.open(tmp_path / "out")
    assert [content for _, content in snapshot.read(snapshot.entries())] == [code.encode()]


@given(st.text() | st.text(alphabet="@ab.-_\u00b7\u5218 1\uff20"))
def test_masking_twice_is_masking_once(text):
    once = masked(text, "US")
    assert masked(once, "US") == once


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000 + " @", "a@" * 50_000, "1 " * 50_000, "@" * 100_000, "@-" * 50_000],
)
def test_a_hostile_comment_takes_no_quadratic_time(text):
    began = time.process_time()
    masked(text, "US")
    assert time.process_time() - began < 5
