import time
import warnings

import pytest

from evaluation.languages import SCORERS
from evaluation.results import Tally
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.grammar import MAX_UNIT, parse_tally, parses
from evaluation.syntax.units import Piece

GOOD = {
    "c": "static int add(int a, int b)\n{\n\treturn a + b;\n}",
    "java": "\n    public int add(int a) {\n        return a + 1;\n    }",
    "lua": "local function add(a, b)\n   return a + b\nend",
    "scala": "\n  def add(a: Int): Int = {\n    a + 1\n  }",
}
BALANCED_NONSENSE = {
    "c": "int int return ( a b ) { = = }",
    "java": "public public ( a b ) { = = }",
    "lua": "local function ( a b ) = = end",
    "scala": "def def ( a b ) { = = }",
}


@pytest.mark.parametrize("language", GOOD)
def test_a_grammar_takes_code_and_refuses_what_is_only_balanced(language):
    assert parses(language, GOOD[language])
    assert not parses(language, BALANCED_NONSENSE[language])


@pytest.mark.parametrize("language", GOOD)
def test_the_scorer_asks_for_a_second_opinion_on_every_block(language):
    scorer = SCORERS[language]
    assert isinstance(scorer, BracketScorer)
    wrapped = {"java": "class A {{{}\n}}\n", "scala": "object A {{{}\n}}\n"}
    text = wrapped.get(language, "\n{}\n").format(3 * f"{GOOD[language]}\n")
    tallies = scorer.score_file(text).tallies
    assert tallies["unit_parse_rate"].of == tallies["block_balance_rate"].of >= 2
    assert tallies["unit_parse_rate"].amount == tallies["unit_parse_rate"].of


def test_a_missing_token_is_no_clean_tree():
    assert not parses("c", "int f(void) { return 1 }")


def test_long_units_are_not_judged_and_nothing_is_no_unit():
    units = [Piece(offset=0, text=GOOD["c"]), Piece(offset=0, text="x" * (MAX_UNIT + 1))]
    assert parse_tally("c", units, ("", "")) == Tally(1, 1)
    assert parse_tally("c", [], ("", "")) == Tally(0, 0)


def test_a_unit_is_read_in_its_frame():
    unit = [Piece(offset=0, text="  A(int a) {\n  }")]
    assert parse_tally("java", unit, ("", "")) == Tally(0, 1)
    assert parse_tally("java", unit, ("class A {", "\n}")) == Tally(1, 1)
    table = [Piece(offset=0, text="struct a b = {\n\t.c = 1,\n}")]
    assert parse_tally("c", table, ("", ";")) == Tally(1, 1)


@pytest.mark.parametrize(
    ("language", "text"), [("lua", "[["), ("scala", "\x00\xff<>{}[]()"), ("lua", "a<")]
)
def test_a_text_that_takes_too_long_does_not_parse_and_the_next_one_does(language, text):
    began = time.process_time()
    assert not parses(language, (text * MAX_UNIT)[:MAX_UNIT])
    assert time.process_time() - began < 2
    assert parses(language, GOOD[language])


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "\ufeff", "é" * 5000])
def test_odd_characters_are_read_without_a_word(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for language in GOOD:
            parses(language, text)
