"""What the scorers say of good, bad and degenerate text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.languages import SCORERS
from evaluation.languages import python as python_module
from evaluation.results import Mark, Tally
from modeling.vocab import FILE_MARK

STRUCTURE = {
    "nesting_mismatches_per_kb",
    "unterminated_literals_per_kb",
    "swallowed_fraction",
    "units_per_kb",
}
BRACKETS = STRUCTURE | {"block_balance_rate", "file_balance_rate", "unit_parse_rate"}
PYTHON = STRUCTURE | {"function_parse_rate", "toplevel_parse_rate", "file_parse_rate"}

GOOD = {
    "c": "#include <a.h>\n\nint f(void)\n{\n\treturn g('}');\n}\n\nint h(void)\n{\n}\n",
    "java": "class A {\n  public int f() {\n    return g('}');\n  }\n  public int h() {\n  }\n}\n",
    "lua": "local a = 1\nfunction f()\n  return '}'\nend\nfunction g()\n  f()\nend\n",
    "scala": 'class A {\n  def f = {\n    s"${g("}")}"\n  }\n  def h = {\n    1\n  }\n}\n',
}
BAD = {
    "c": GOOD["c"].replace("g('}')", "g('}'"),
    "java": GOOD["java"].replace("h() {", "h( {"),
    "lua": GOOD["lua"].replace("  f()\n", "  if f() then\n"),
    "scala": GOOD["scala"].replace("    1", "    (1"),
}


def test_the_table_names_every_scorer_by_its_language():
    assert [scorer.language for scorer in SCORERS.values()] == list(SCORERS)
    assert set(SCORERS) == {"python", "c", "java", "lua", "scala", "prose"}


@pytest.mark.parametrize("language", SCORERS)
def test_the_headline_is_a_metric_of_every_sample(language):
    scorer = SCORERS[language]
    keys = set(scorer.score("a\n").tallies)
    assert (scorer.headline in keys) if scorer.headline else (language == "prose" and not keys)


@pytest.mark.parametrize("language", GOOD)
def test_a_good_file_is_balanced_in_whole_and_in_parts(language):
    score = SCORERS[language].score_file(GOOD[language])
    assert set(score.tallies) == BRACKETS
    assert score.tallies["file_balance_rate"] == Tally(1, 1)
    blocks = score.tallies["block_balance_rate"]
    assert blocks.amount == blocks.of >= 1
    assert score.first_error is None


@pytest.mark.parametrize("language", BAD)
def test_a_fault_spoils_its_file_and_its_unit_only(language):
    score = SCORERS[language].score_file(BAD[language])
    assert score.tallies["file_balance_rate"] == Tally(0, 1)
    blocks, good = (
        s.tallies["block_balance_rate"]
        for s in (score, SCORERS[language].score_file(GOOD[language]))
    )
    assert (blocks.amount, blocks.of) == (good.amount - 1, good.of)
    assert score.first_error is not None


@pytest.mark.parametrize("language", GOOD)
def test_only_files_between_marks_count_as_files(language):
    sample = FILE_MARK.join((GOOD[language], GOOD[language], BAD[language], BAD[language]))
    score = SCORERS[language].score(sample)
    assert score.tallies["file_balance_rate"] == Tally(1, 2)


def test_the_first_error_is_an_offset_in_the_whole_sample():
    sample = FILE_MARK.join((GOOD["c"], GOOD["c"], "int a[2);\n"))
    error = SCORERS["c"].score(sample).first_error
    assert error == Mark(offset=sample.index(")", sample.index("[2")), message="')' closes '['")


def test_a_fast_verdict_on_units_is_the_slow_one():
    crossed = "int f() {\n}\nint g() { {\n}\nint h() { } }\nint i() {\n}\n"
    tallies = SCORERS["c"].score_file(crossed).tallies
    assert tallies["file_balance_rate"] == Tally(1, 1)
    assert tallies["block_balance_rate"] == Tally(1, 3)


def test_metrics_per_kilobyte_are_per_thousand_characters_judged():
    plain = SCORERS["c"].score("(a]" + "a" * 997).tallies
    assert plain["nesting_mismatches_per_kb"] == Tally(1, 1.0)
    after_a_comment = SCORERS["c"].score("it\nisn't */" + "a\n" * 500).tallies
    assert after_a_comment["nesting_mismatches_per_kb"] == Tally(0, 1.0)
    swallowed = SCORERS["c"].score("a\n'bcd\n" + "a" * 993).tallies
    assert swallowed["swallowed_fraction"] == Tally(4, 1000)


@pytest.mark.parametrize("language", ["python", "c", "java", "lua", "scala"])
@pytest.mark.parametrize("text", ["", " " * 1000, "\n" * 1000, "word " * 2000])
def test_degenerate_text_has_no_units_to_be_proud_of(language, text):
    tallies = SCORERS[language].score(text).tallies
    assert tallies[SCORERS[language].headline].of == 0
    assert tallies["units_per_kb"].amount == 0


def test_python_counts_what_parses_at_every_level():
    good = "import a\n\n\ndef f():\n    def g():\n        return 1\n    return g\n\n\nx = 1\n"
    bad = good.replace("return 1", "return (1")
    score = SCORERS["python"].score(FILE_MARK.join(("x\n", good, bad, "x")))
    assert set(score.tallies) == PYTHON | {"whole_sample_parse"}
    assert score.tallies["function_parse_rate"] == Tally(2, 4)
    assert score.tallies["toplevel_parse_rate"] == Tally(1, 2)
    assert score.tallies["file_parse_rate"] == Tally(1, 2)
    assert score.tallies["whole_sample_parse"] == Tally(0, 1)


def test_a_whole_python_file_has_no_metric_of_samples():
    assert set(SCORERS["python"].score_file("x = 1\n").tallies) == PYTHON


def test_the_first_python_error_is_where_the_parser_stopped():
    text = "x = 1\nclass A:\n    def f(self):\n        a = 1\n        b = = 2\n\ny = 1\n"
    error = SCORERS["python"].score("x\n" + FILE_MARK + text + FILE_MARK).first_error
    assert error == Mark(offset=3 + text.index("= 2"), message="invalid syntax")


def test_python_without_units_shows_its_first_bracket_fault():
    error = SCORERS["python"].score("x\n(a, b]\n").first_error
    assert error == Mark(offset=7, message="']' closes '('")


def test_odd_but_legal_python_parses():
    text = '\ufeffdef f():\n    """\nText.\n\n    """\n    return "\\d"\n'
    assert SCORERS["python"].score_file(text).tallies["file_parse_rate"] == Tally(1, 1)


@pytest.mark.parametrize(
    "text",
    ["-" * 100_000, "x = '\ud800'", "(" * 100_000, "a" + ".b" * 100_000, "x = \0", "f''" * 9**4],
)
def test_what_kills_a_parser_does_not_parse(text):
    score = SCORERS["python"].score_file(text)
    assert (score.outcome, score.tallies["file_parse_rate"].of) == ("ok", 1)


def test_a_python_unit_beyond_the_cap_is_not_judged(monkeypatch):
    monkeypatch.setattr(python_module, "MAX_UNIT", 30)
    text = "def f():\n    return 1\n\ndef g():\n    return " + "1" * 40 + "\n"
    tallies = SCORERS["python"].score_file(text).tallies
    assert tallies["function_parse_rate"] == Tally(1, 1)
    assert tallies["units_per_kb"].amount == 2


ANY = st.text(
    st.sampled_from("()[]{}\"'`/*#\\\n\n  :=$@.,dclef" + "\ud800\0" + FILE_MARK), max_size=300
)


@pytest.mark.parametrize("language", SCORERS)
@settings(max_examples=30)
@given(text=ANY)
def test_any_text_has_a_score(language, text):
    for score in (SCORERS[language].score(text), SCORERS[language].score_file(text)):
        assert score.first_error is None or 0 <= score.first_error.offset <= len(text)
        for key, tally in score.tallies.items():
            assert tally.amount >= 0 <= tally.of
            if key.endswith(("_rate", "_parse", "_fraction")):
                assert tally.amount <= tally.of
