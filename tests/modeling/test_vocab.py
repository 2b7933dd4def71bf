import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modeling.vocab import (
    FILE_MARK,
    LARGE,
    MARK_ID,
    SPECIALS,
    UNICODE_SCALARS,
    UNKNOWN_ID,
    Vocabulary,
)

texts = st.text(st.characters(exclude_characters=FILE_MARK))


@given(texts)
def test_known_text_survives_encoding_and_decoding(text):
    vocabulary = Vocabulary(tuple(sorted(set(text))))
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(texts, texts)
def test_every_character_has_one_id_and_only_strangers_are_unknown(known, text):
    vocabulary = Vocabulary(tuple(sorted(set(known))))
    ids = vocabulary.encode(text)
    assert ids.dtype == np.uint16
    assert [i == UNKNOWN_ID for i in ids] == [c not in known for c in text]
    assert MARK_ID not in ids


def test_rare_characters_and_the_file_mark_are_left_out():
    vocabulary = Vocabulary.from_counts({"b": 2, "a": 5, "c": 1, FILE_MARK: 9}, min_count=2)
    assert vocabulary.characters == ("a", "b")
    assert vocabulary.size == SPECIALS + 2


def test_with_a_large_vocabulary_fewer_characters_are_read_at_the_same_cost():
    def affordable(characters, size):
        known = Vocabulary(tuple(map(chr, range(0x4E00, 0x4E00 + size - SPECIALS))))
        return known.affordable(characters)

    assert affordable(10_000, 100) == affordable(10_000, LARGE) == 10_000
    assert affordable(10_000, 4 * LARGE) == 2_500
    assert affordable(10_000, LARGE + 1) == 9_998
    assert affordable(1, 4 * LARGE) == 1


def test_the_file_mark_is_id_0_beyond_the_table_too():
    assert Vocabulary(("a",)).encode(f"a{FILE_MARK}z").tolist() == [2, MARK_ID, UNKNOWN_ID]


def test_lone_surrogates_are_unknown_characters():
    assert Vocabulary(("a",)).encode("\ud800a").tolist() == [UNKNOWN_ID, 2]


def test_documents_begin_with_their_mark():
    first, empty = Vocabulary(("a",)).encode_documents(["aa", ""])
    assert first.tolist() == [MARK_ID, 2, 2]
    assert empty.tolist() == [MARK_ID]


def test_unknown_bits_share_the_unknown_id_evenly_over_all_strangers():
    vocabulary = Vocabulary(("a", "b"))
    assert math.isclose(2**-vocabulary.unknown_bits * (UNICODE_SCALARS - 2), 1)


def test_a_saved_vocabulary_is_loaded_unchanged(tmp_path):
    vocabulary = Vocabulary(("\0", "\n", "a", "\U0001f600"))
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary
