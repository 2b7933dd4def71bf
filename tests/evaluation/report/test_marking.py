import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.report.marking import line_of, marked_html, marked_plain, shown_part
from evaluation.results import CopiedSpan, Mark, ShownSample
from modeling.vocab import FILE_MARK
from system.display import visible


def sample_of(text, *, error=None, copied=(), surprisal=None):
    return ShownSample(
        seed=0,
        temperature=1.0,
        text=text,
        first_error=error,
        copied=copied,
        surprisal=[0.0] * len(text) if surprisal is None else surprisal,
    )


@st.composite
def samples(draw):
    text = draw(st.text(st.sampled_from("ab<>&\"'`\n\t\x1b\u202e\ud800" + FILE_MARK), max_size=60))
    places = st.integers(0, len(text))
    spans = draw(st.lists(st.tuples(places, places), max_size=4))
    error = draw(st.none() | places)
    return sample_of(
        text,
        error=None if error is None else Mark(offset=error, message='<b>"bad"\nthing'),
        copied=[
            CopiedSpan(start=min(ends), end=max(ends), path="<i>", license=None) for ends in spans
        ],
        surprisal=draw(st.lists(st.floats(0, 20), min_size=len(text), max_size=len(text))),
    )


@given(samples(), st.integers(0, 60))
def test_markup_taken_away_gives_the_text_back(sample, cut):
    cut = min(cut, len(sample.text))
    marked = marked_html(sample, 0, cut) + marked_html(sample, cut, len(sample.text))
    ruled = marked.replace("<span class=eof>end of file</span>", FILE_MARK)
    bare = html.unescape(re.sub(r"<[^>]*>", "", ruled))
    assert bare == visible(sample.text).replace(visible(FILE_MARK), FILE_MARK)
    assert marked.count("<b class=fault") == (sample.first_error is not None and sample.text != "")


@given(st.text())
def test_visible_text_steers_nothing_and_changes_nothing_else(text):
    shown = visible(text)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown
    )
    assert re.sub("\u27e8U\\+([0-9A-F]{4,6})\u27e9", lambda m: chr(int(m[1], 16)), shown) == text


def test_neighbours_that_look_the_same_share_one_element():
    sample = sample_of("abcdef", surprisal=[0.1, 0.2, 3.0, 3.5, 9.0, 0.0])
    assert marked_html(sample, 0, 6) == "ab<i class=s2>cd</i><i class=s5>e</i>f"


def test_a_copy_is_named_and_the_earlier_of_two_that_overlap_is_shown():
    copied = [
        CopiedSpan(start=1, end=4, path='a".py', license="MIT"),
        CopiedSpan(start=3, end=6, path="b.py", license=None),
    ]
    assert marked_html(sample_of("abcdef", copied=copied), 0, 6) == (
        'a<mark class=c1 title="Copied from a&#34;.py (MIT)">bcd</mark>'
        '<mark class=c2 title="Copied from b.py (licence unknown)">ef</mark>'
    )


@pytest.mark.parametrize("offset", [2, 3, 99])
def test_an_error_at_the_end_of_the_text_marks_the_last_character(offset):
    marked = marked_html(sample_of("abc", error=Mark(offset=offset, message="cut off")), 0, 3)
    assert marked == 'ab<b class=fault title="First error: cut off">c</b>'


def test_a_caret_is_under_the_error_in_plain_text():
    sample = sample_of("ok\n\x1b x = (\nrest\n", error=Mark(offset=9, message="never\nclosed"))
    assert marked_plain(sample, 16).splitlines() == [
        "ok",
        "\u27e8U+001B\u27e9 x = (",
        " " * 13 + "^ never closed",
        "rest",
    ]


def test_an_error_after_the_part_shown_has_no_caret():
    sample = sample_of("ab\ncd\n", error=Mark(offset=4, message="late"))
    assert marked_plain(sample, 3) == "ab\n"


def test_file_marks_are_drawn_and_end_a_line():
    text = f"a{FILE_MARK}b"
    assert "end of file" in marked_plain(sample_of(text), 3)
    assert line_of(text, 2) == 2


@pytest.mark.parametrize(("characters", "stop"), [(100, 11), (7, 4), (3, 3)])
def test_a_long_text_is_cut_after_a_line_if_it_has_one(characters, stop):
    assert shown_part("abc\ndef ghi", characters) == stop
