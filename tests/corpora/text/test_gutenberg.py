import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.text.gutenberg import cut_license

TEXT = b"CHAPTER I\n\nIt was a dark night.\n\nTHE END"
STARTS = {
    "today": b"*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***",
    "2008": b"*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***",
    "2004": b"***START OF THE PROJECT GUTENBERG EBOOK EMMA***",
    "wrapped": b"*** START OF THIS PROJECT GUTENBERG EBOOK THE ADVENTURES OF\nMR HOLMES ***",
    "copyrighted": b"*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK EMMA ***",
    "mark": b"\xef\xbb\xbf*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***",
    "1994": b"*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
    "1999": b"*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
    "both": b"*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***\n***START**THE SMALL PRINT!**FOR"
    b" PUBLIC DOMAIN ETEXTS**START***\nlaw\n*END*THE SMALL PRINT! FOR PUBLIC*Ver.04.29.93*END*",
}
ENDS = {
    "today": b"*** END OF THE PROJECT GUTENBERG EBOOK EMMA ***",
    "2008": b"*** END OF THIS PROJECT GUTENBERG EBOOK EMMA ***",
    "two lines": b"End of the Project Gutenberg EBook of Emma, by Jane Austen\n\n"
    b"*** END OF THIS PROJECT GUTENBERG EBOOK EMMA ***",
    "possessive": b"End of Project Gutenberg's Emma, by Jane Austen",
    "etext": b"End of this Project Gutenberg Etext of Emma",
    "french": b"Fin du Projet Gutenberg de Emma",
    "french ebook": b"Fin de l'EBook Projet Gutenberg d'Emma",
    "small print": b"***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\nlaw\n"
    b"*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
    "german": b"Ende dieses Projekt Gutenberg Etextes Emma",
    "small print behind": b"***END OF THE PROJECT GUTENBERG EBOOK, EMMA***\n***START**THE SMALL "
    b"PRINT!**FOR PUBLIC DOMAIN EBOOKS**START***\nlaw\n*END THE SMALL PRINT!*Ver.02/11/02*END*",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["unix", "dos"])
def test_only_the_text_is_left_whatever_the_wording(start, end, newline):
    header = b"" if start.startswith(b"\xef") else b"The Project Gutenberg Etext of Emma\n\n"
    book = header + start + b"\n\n\n" + TEXT + b"\n\n\n" + end + b"\n\nlicence\n"
    book = book.replace(b"\r\n", b"\n").replace(b"\n", newline)
    cut = cut_license(book)
    assert cut.text == TEXT.replace(b"\n", newline)
    assert book[cut.head_bytes : len(book) - cut.tail_bytes] == cut.text
    assert cut.start is not None
    assert cut.end is not None


def test_one_border_is_enough_to_cut_one_end():
    assert cut_license(STARTS["today"] + b"\n" + TEXT).text == TEXT
    assert cut_license(TEXT + b"\n" + ENDS["today"]).text == TEXT


def test_the_licence_between_two_volumes_is_cut_too():
    volumes = STARTS["today"] + b"\nONE\n" + ENDS["today"] + b"\nlaw\n" + STARTS["2008"]
    cut = cut_license(volumes + b"\nTWO\n" + ENDS["possessive"] + b"\nlaw\n")
    assert cut.text.split() == [b"ONE", b"TWO"]


def test_a_small_print_at_the_end_does_not_take_the_book_with_it():
    book = b"Emma\n\n" + TEXT * 20 + b"\n\n" + ENDS["small print"] + b"\n"
    assert cut_license(book).text == b"Emma\n\n" + TEXT * 20


CREDITS = (
    b"Transcribed from the 1892 edition by A. Volunteer, email a@example.org",
    b"Produced by An Anonymous Volunteer",
    b"Produced by A. Mastronardi\nOnline Team at http://example.org\n(produced from images)",
    b"E-text prepared by A. Haines\n\n\nSpecial thanks are due to S. Partridge for\nproofreading.",
)


@pytest.mark.parametrize("credit", CREDITS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["unix", "dos"])
def test_who_made_the_file_is_cut_off_too(credit, newline):
    book = STARTS["today"] + b"\n\n" + credit + b"\n\n\n\n" + TEXT + b"\n\n" + ENDS["today"]
    book = book.replace(b"\n", newline)
    cut = cut_license(book)
    assert cut.text == TEXT.replace(b"\n", newline)
    assert book[cut.head_bytes : len(book) - cut.tail_bytes] == cut.text


def test_a_book_that_speaks_of_producing_keeps_its_first_words():
    text = b"I\n\nProduced by art\n\nend"
    assert cut_license(STARTS["today"] + b"\n\n" + text).text == text
    assert cut_license(b"Produced by art\n\nend").text == b"Produced by art\n\nend"


@pytest.mark.parametrize("border", [STARTS["today"], ENDS["today"]])
def test_a_border_in_the_middle_of_a_long_book_is_part_of_the_book(border):
    book = b"line\n" * 20_000 + border + b"\nline" * 20_000
    assert cut_license(book).text == book


@given(st.binary(max_size=300))
def test_without_a_border_nothing_is_cut(content):
    cut = cut_license(content)
    assert (cut.text, cut.start, cut.end) == (content, None, None)
