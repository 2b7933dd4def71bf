import time
import warnings

import pytest

from evaluation.languages import LANGUAGES
from evaluation.results import Tally
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.grammar import MAX_UNIT, Grammar, parse_tally, parses
from evaluation.syntax.units import Piece

C = ("tree_sitter_c:language",)
JAVA = ("tree_sitter_java:language",)
GOOD = {
    "go": "func add(a, b int) int {\n\treturn a + b\n}",
    "rust": "    pub fn add(&self, a: i32) -> i32 {\n        a + 1\n    }",
    "javascript": "async function add(a, b) {\n  return <p>{a + b}</p>;\n}",
    "typescript": "function add<T>(a: T): number {\n  return (<any>a) + 1;\n}",
    "c": "static int add(int a, int b)\n{\n\treturn a + b;\n}",
    "java": "\n    public int add(int a) {\n        return a + 1;\n    }",
    "lua": "local function add(a, b)\n   return a + b\nend",
    "scala": "\n  def add(a: Int): Int = {\n    a + 1\n  }",
}
BALANCED_NONSENSE = {
    "go": "func func ( a b ) { = = }",
    "rust": "fn fn ( a b ) { = = }",
    "javascript": "function function ( a b ) { = = }",
    "typescript": "function function ( a b ) { = = }",
    "c": "int int return ( a b ) { = = }",
    "java": "public public ( a b ) { = = }",
    "lua": "local function ( a b ) = = end",
    "scala": "def def ( a b ) { = = }",
}


def grammar(language: str) -> Grammar:
    scorer = LANGUAGES[language].scorer
    assert isinstance(scorer, BracketScorer) and scorer.grammar
    return scorer.grammar


def test_every_grammar_of_the_table_is_tried():
    scorers = {name: one.scorer for name, one in LANGUAGES.items()}
    with_grammar = {n for n, s in scorers.items() if isinstance(s, BracketScorer) and s.grammar}
    assert set(GOOD) == set(BALANCED_NONSENSE) == with_grammar


@pytest.mark.parametrize("language", GOOD)
def test_a_grammar_accepts_code_and_rejects_what_is_only_balanced(language):
    assert parses(grammar(language), GOOD[language])
    assert not parses(grammar(language), BALANCED_NONSENSE[language])


@pytest.mark.parametrize("language", GOOD)
def test_the_scorer_asks_for_a_second_opinion_on_every_block(language):
    scorer = LANGUAGES[language].scorer
    assert isinstance(scorer, BracketScorer)
    wrapped = {"java": "class A {{{}\n}}\n", "scala": "object A {{{}\n}}\n"}
    text = wrapped.get(language, "\n{}\n").format(3 * f"{GOOD[language]}\n")
    tallies = scorer.score_file(text).tallies
    assert tallies["unit_parse_rate"].of == tallies["block_balance_rate"].of >= 2
    assert tallies["unit_parse_rate"].amount == tallies["unit_parse_rate"].of


def test_a_missing_token_is_no_clean_tree():
    assert not parses(grammar("c"), "int f(void) { return 1 }")


def test_long_units_are_not_counted_and_empty_text_has_no_units():
    units = [Piece(offset=0, text=GOOD["c"]), Piece(offset=0, text="x" * (MAX_UNIT + 1))]
    assert parse_tally(Grammar(sources=C), units) == Tally(1, 1)
    assert parse_tally(Grammar(sources=C), []) == Tally(0, 0)


def test_a_unit_is_read_in_its_frame():
    unit = [Piece(offset=0, text="  A(int a) {\n  }")]
    assert parse_tally(Grammar(sources=JAVA), unit) == Tally(0, 1)
    assert parse_tally(Grammar(sources=JAVA, frames=(("class A {", "\n}"),)), unit) == Tally(1, 1)
    table = [Piece(offset=0, text="struct a b = {\n\t.c = 1,\n}")]
    assert parse_tally(Grammar(sources=C, frames=(("", ";"),)), table) == Tally(1, 1)


@pytest.mark.parametrize(
    ("language", "text"), [("lua", "[["), ("scala", "\x00\xff<>{}[]()"), ("lua", "a<")]
)
def test_a_text_that_takes_too_long_does_not_parse_and_the_next_one_does(language, text):
    began = time.process_time()
    assert not parses(grammar(language), (text * MAX_UNIT)[:MAX_UNIT])
    assert time.process_time() - began < 2
    assert parses(grammar(language), GOOD[language])


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "\ufeff", "é" * 5000])
def test_odd_characters_are_read_without_a_word(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for language in GOOD:
            parses(grammar(language), text)
