import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpora.text.normalise import Normalisation, mark_uppercase, transliterate, unmark_uppercase

MARKS = st.sampled_from("^~\u21e7]-\\|")


def test_nothing_changes_by_default():
    text = "\tAb \u00e9\n"
    assert Normalisation().apply(text) is text
    assert Normalisation().describe() == ()


@given(st.text(st.characters(exclude_categories=["Cs"])), MARKS)
def test_marked_upper_case_comes_back(text: str, mark: str):
    assert unmark_uppercase(mark_uppercase(text, mark), mark) == text


def test_every_character_comes_back_from_its_mark():
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    marked = mark_uppercase(text, "^")
    assert unmark_uppercase(marked, "^") == text
    assert not any(letter in marked for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c9\u0416")


def test_a_mark_in_the_text_is_doubled():
    assert mark_uppercase("a^B", "^") == "a^^^b"
    assert unmark_uppercase("a^^^b", "^") == "a^B"


@given(st.text("aB^1\u00df\n"))
def test_any_text_of_a_model_can_be_unmarked(text: str):
    assert unmark_uppercase(text, "^").count("\n") == text.count("\n")


def test_a_mark_before_no_letter_is_left():
    assert unmark_uppercase("^1 ^\u00df x^", "^") == "^1 ^\u00df x^"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_transliterated_text_is_ascii_and_ascii_is_untouched(text: str):
    assert transliterate(text).isascii()
    assert not text.isascii() or transliterate(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u00c9l\u00e8ve, \u0153uvre", "Eleve, oeuvre"),
        ("Stra\u00dfe \u2014 \u00e7a", "Strasse - ca"),
        ("e\u0301", "e"),
        ("\u041f\u0443\u0448\u043a\u0438\u043d", "Pushkin"),
        ("\ue000", "?"),
    ],
)
def test_letters_are_written_by_letters_that_read_alike(text: str, expected: str):
    assert transliterate(text) == expected


def test_tabs_reach_the_next_stop_of_their_line():
    assert Normalisation(tab_width=4).apply("\ta\n ab\tc") == "    a\n ab c"


def test_changes_are_made_in_the_order_in_which_they_are_described():
    changes = Normalisation(ascii=True, tab_width=2, uppercase_mark="\u21e7")
    assert changes.apply("\t\u00c9t\u00e9") == "  \u21e7ete"
    transliterated, tabs, mark = changes.describe()
    assert "anyascii 0." in transliterated
    assert "2 columns" in tabs
    assert "can be undone" in mark


@pytest.mark.parametrize("mark", ["", "ab", "a", "A", "1", " ", "\t", "\u24b6", "\uffff"])
def test_a_mark_is_one_printable_sign_without_case(mark: str):
    with pytest.raises(ValidationError, match=r"one printable character|letter or digit"):
        Normalisation(uppercase_mark=mark)


def test_an_unknown_change_is_refused():
    with pytest.raises(ValidationError, match="upercase"):
        Normalisation.model_validate({"upercase": True})
