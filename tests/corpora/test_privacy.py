import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.sources.privacy import load_salt, masked, pseudonym


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
        ("5 @ 3.50 each, @someone", "5 @ 3.50 each, @someone"),
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


@given(st.text())
def test_masking_twice_is_masking_once(text):
    once = masked(text, "US")
    assert masked(once, "US") == once


@pytest.mark.parametrize("text", ["a" * 100_000 + " @", "a@" * 50_000, "1 " * 50_000])
def test_a_hostile_comment_takes_no_quadratic_time(text):
    began = time.perf_counter()
    masked(text, "US")
    assert time.perf_counter() - began < 5
