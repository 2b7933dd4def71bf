from hypothesis import given
from hypothesis import strategies as st

from corpora.text.parts import cut_text


@given(st.text(alphabet="ab \n", max_size=400), st.integers(1, 60))
def test_the_parts_joined_are_the_text_and_none_is_too_long(text, length):
    parts = list(cut_text(text, length))
    assert "".join(parts) == text
    assert all(0 < len(part) <= length for part in parts)


def test_a_part_ends_at_a_blank_line_where_there_is_one():
    text = "one two\nthree\n\nfour five\nsix\n\nseven"
    assert list(cut_text(text, 16)) == ["one two\nthree\n\n", "four five\nsix\n\n", "seven"]


def test_without_a_blank_line_a_part_ends_at_a_lines_end():
    assert list(cut_text("one\ntwo\nthree", 9)) == ["one\ntwo\n", "three"]


def test_without_any_line_a_part_ends_at_its_length():
    assert list(cut_text("abcdefg", 3)) == ["abc", "def", "g"]
