"""What the scorers say of good, bad and degenerate text."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.errors import SpecError
from corpora.scaffold import add_dataset
from evaluation.languages import LANGUAGES, Language, language_of
from evaluation.languages.python import PythonScorer
from evaluation.results import Mark, Tally
from evaluation.score_files import find_files, score_files, sum_up
from evaluation.syntax.bracketed import BracketScorer
from flows.options import Options, prepare, read_dataset
from modeling.vocab import FILE_MARK

STRUCTURE = {
    "nesting_mismatches_per_kb",
    "unterminated_literals_per_kb",
    "swallowed_fraction",
    "units_per_kb",
}
BRACKETS = STRUCTURE | {"block_balance_rate", "file_balance_rate"}
PYTHON = STRUCTURE | {"function_parse_rate", "toplevel_parse_rate", "file_parse_rate"}

SCORED = [name for name in LANGUAGES if name != "prose"]
BRACKETED = [name for name in SCORED if isinstance(LANGUAGES[name].scorer, BracketScorer)]
PAIRS = Path(__file__).with_name("pairs")


def pair(language: str) -> tuple[str, str]:
    """A good file with two units, and the same file with a fault in the second one."""
    good, bad = ((PAIRS / f"{language}.{name}.txt").read_text() for name in ("good", "bad"))
    return good, bad


GOOD = {language: pair(language)[0] for language in SCORED}
BAD = {language: pair(language)[1] for language in SCORED}


def test_no_two_languages_share_an_extension():
    extensions = [extension for one in LANGUAGES.values() for extension in one.extensions]
    assert len(extensions) == len(set(extensions))
    assert all(
        language_of([end]) == one.name for one in LANGUAGES.values() for end in one.extensions
    )
    assert language_of([".none"]) == "prose"


def test_the_documented_table_is_the_real_one():
    text = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (\.[a-z. ]+) \|.*\| (\w*) ?\|$", text, re.MULTILINE)
    assert rows == [
        (name, " ".join(one.extensions), one.compiler.programs[0] if one.compiler else "")
        for name, one in LANGUAGES.items()
    ]


def test_a_language_is_one_module_and_one_row_of_the_table(monkeypatch, tmp_path):
    toy = Language("toy", (".toy",), package="tests.evaluation.languages")
    monkeypatch.setitem(LANGUAGES, "toy", toy)
    (tmp_path / "a.toy").write_text("unit <}>\n")
    (tmp_path / "b.toy").write_text("unit {\n")
    paths = find_files(tmp_path, "toy")
    metrics = sum_up(list(score_files(paths, "toy")), "toy").metrics
    assert (metrics["file_balance_rate"].value, metrics["file_balance_rate"].n) == (0.5, 2)
    path = add_dataset(str(tmp_path), [".toy"], tmp_path, "mine", language=language_of([".toy"]))
    assert prepare(path.stem, Options(), [tmp_path]).spec.language == "toy"


def test_an_unknown_language_is_one_line_that_names_the_known_ones(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "a"\nlanguage = "cobol"\n[source]\nkind = "folder"\npath = "/tmp"\n'
        '[corpus]\nextensions = [".cob"]\n'
    )
    with pytest.raises(
        SpecError, match=r"mine\.toml: language: no 'cobol'; known: python, c, go, "
    ):
        read_dataset("mine", [tmp_path])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_headline_is_a_metric_of_every_sample(language):
    scorer = LANGUAGES[language].scorer
    keys = set(scorer.score("a\n").tallies)
    assert (scorer.headline in keys) if scorer.headline else (language == "prose" and not keys)


@pytest.mark.parametrize("language", BRACKETED)
def test_a_good_file_is_balanced_in_whole_and_in_parts(language):
    scorer = LANGUAGES[language].scorer
    score = scorer.score_file(GOOD[language])
    assert set(score.tallies) == BRACKETS | ({"unit_parse_rate"} if scorer.grammar else set())
    if parsed := score.tallies.get("unit_parse_rate"):
        assert parsed.amount == parsed.of
    assert score.tallies["file_balance_rate"] == Tally(1, 1)
    blocks = score.tallies["block_balance_rate"]
    assert blocks.amount == blocks.of >= 1
    assert score.first_error is None


@pytest.mark.parametrize("language", BRACKETED)
def test_a_fault_spoils_its_file_and_its_unit_only(language):
    score = LANGUAGES[language].scorer.score_file(BAD[language])
    assert score.tallies["file_balance_rate"] == Tally(0, 1)
    blocks, good = (
        s.tallies["block_balance_rate"]
        for s in (score, LANGUAGES[language].scorer.score_file(GOOD[language]))
    )
    assert (blocks.amount, blocks.of) == (good.amount - 1, good.of)
    assert score.first_error is not None


@pytest.mark.parametrize("language", BRACKETED)
def test_only_files_between_marks_count_as_files(language):
    sample = FILE_MARK.join((GOOD[language], GOOD[language], BAD[language], BAD[language]))
    score = LANGUAGES[language].scorer.score(sample)
    assert score.tallies["file_balance_rate"] == Tally(1, 2)


@pytest.mark.parametrize("language", BRACKETED)
def test_a_sample_from_the_start_of_a_file_has_its_first_file_whole(language):
    sample = FILE_MARK.join((GOOD[language], BAD[language], BAD[language]))
    scorer = LANGUAGES[language].scorer
    assert scorer.score(sample, from_start=True).tallies["file_balance_rate"] == Tally(1, 2)
    assert scorer.score(sample).tallies["file_balance_rate"] == Tally(0, 1)


OPEN = {
    "lua": ("--[==[", "local s = [=["),
    "go": ("x := `",),
    "rust": ('let s = "', 'let s = r#"'),
    "c": ('s = R"x(', "/*"),
    "javascript": ("const s = `",),
    "java": ("/*", 'String s = """'),
    "scala": ("/*", 'val s = """'),
}


@pytest.mark.parametrize(
    ("language", "opener"), [(key, opener) for key, all_of in OPEN.items() for opener in all_of]
)
def test_nothing_in_a_literal_that_never_ends_counts_where_a_sample_begins_a_file(language, opener):
    code = 100 * GOOD[language].replace('"', "").replace("`", "").replace("*/", "")
    tallies = LANGUAGES[language].scorer.score(f"{opener}\n{code}", from_start=True).tallies
    assert tallies["block_balance_rate"].of == 0
    assert tallies["swallowed_fraction"].amount > 0.9 * len(code)


@pytest.mark.parametrize(
    "member",
    [
        *("public @A(1) void f() { }", "@A(x = (1 + (2))) void f() { }"),
        *("@A({@B({1}), @B({2})}) void f() { }", "@A(a.b(c(d()))) final int f() { }"),
        "@A(v = @X(r = {@R(c = @C(s = @S(i = T.class)))}))\n  public void f() { }",
    ],
)
def test_a_method_with_annotations_inside_annotations_counts(member):
    tallies = LANGUAGES["java"].scorer.score_file(f"class A {{\n  {member}\n}}\n").tallies
    assert tallies["block_balance_rate"] == Tally(1, 1)


@pytest.mark.parametrize(
    "text",
    ["local f <const> = function()\nend\n", "#!/usr/bin/lua 'it\nfunction f()\nend\n"],
)
def test_lua_has_attributes_and_a_line_for_the_shell(text):
    tallies = LANGUAGES["lua"].scorer.score_file(text).tallies
    assert tallies["block_balance_rate"] == tallies["file_balance_rate"] == Tally(1, 1)


def test_the_first_error_is_an_offset_in_the_whole_sample():
    sample = FILE_MARK.join((GOOD["c"], GOOD["c"], "int a[2);\n"))
    error = LANGUAGES["c"].scorer.score(sample).first_error
    assert error == Mark(offset=sample.index(")", sample.index("[2")), message="')' closes '['")


def test_a_brace_too_many_in_one_function_does_not_make_up_for_one_missing_in_another():
    crossed = "int f() {\n}\nint g() { {\n}\nint h() { } }\nint i() {\n}\n"
    tallies = LANGUAGES["c"].scorer.score_file(crossed).tallies
    assert tallies["file_balance_rate"] == Tally(1, 1)
    assert tallies["block_balance_rate"] == Tally(3, 4)


def test_metrics_per_kilobyte_are_per_thousand_characters_read():
    plain = LANGUAGES["c"].scorer.score("(a]" + "a" * 997).tallies
    assert plain["nesting_mismatches_per_kb"] == Tally(1, 1.0)
    after_a_comment = LANGUAGES["c"].scorer.score("it\nisn't */" + "a\n" * 500).tallies
    assert after_a_comment["nesting_mismatches_per_kb"] == Tally(0, 1.0)
    swallowed = LANGUAGES["c"].scorer.score("a\n'bcd\n" + "a" * 993).tallies
    assert swallowed["swallowed_fraction"] == Tally(4, 1000)


@pytest.mark.parametrize("language", SCORED)
@pytest.mark.parametrize("text", ["", " " * 1000, "\n" * 1000, "word " * 2000])
def test_degenerate_text_has_no_units_to_be_proud_of(language, text):
    tallies = LANGUAGES[language].scorer.score(text).tallies
    assert tallies[LANGUAGES[language].scorer.headline].of == 0
    assert tallies["units_per_kb"].amount == 0


def test_python_counts_what_parses_at_every_level():
    good = "import a\n\n\ndef f():\n    def g():\n        return 1\n    return g\n\n\nx = 1\n"
    bad = good.replace("return 1", "return (1")
    score = LANGUAGES["python"].scorer.score(FILE_MARK.join(("x\n", good, bad, "x")))
    assert set(score.tallies) == PYTHON | {"whole_sample_parse"}
    assert score.tallies["function_parse_rate"] == Tally(2, 4)
    assert score.tallies["toplevel_parse_rate"] == Tally(1, 2)
    assert score.tallies["file_parse_rate"] == Tally(1, 2)
    assert score.tallies["whole_sample_parse"] == Tally(0, 1)


def test_a_whole_python_file_has_no_metric_of_samples():
    assert set(LANGUAGES["python"].scorer.score_file("x = 1\n").tallies) == PYTHON


def test_the_first_python_error_is_where_the_parser_stopped():
    text = "x = 1\nclass A:\n    def f(self):\n        a = 1\n        b = = 2\n\ny = 1\n"
    error = LANGUAGES["python"].scorer.score("x\n" + FILE_MARK + text + FILE_MARK).first_error
    assert error == Mark(offset=3 + text.index("= 2"), message="invalid syntax")


def test_python_without_units_shows_its_first_bracket_fault():
    error = LANGUAGES["python"].scorer.score("x\n(a, b]\n").first_error
    assert error == Mark(offset=7, message="']' closes '('")


def test_odd_but_legal_python_parses():
    text = '\ufeffdef f():\n    """\nText.\n\n    """\n    return "\\d"\n'
    assert LANGUAGES["python"].scorer.score_file(text).tallies["file_parse_rate"] == Tally(1, 1)


@pytest.mark.parametrize(
    "text",
    ["-" * 100_000, "x = '\ud800'", "(" * 100_000, "a" + ".b" * 100_000, "x = \0", "f''" * 9**4],
)
def test_what_kills_a_parser_does_not_parse(text):
    score = LANGUAGES["python"].scorer.score_file(text)
    assert (score.outcome, score.tallies["file_parse_rate"].of) == ("ok", 1)


def test_a_python_unit_beyond_the_cap_is_not_counted():
    text = "def f():\n    return 1\n\ndef g():\n    return " + "1" * 40 + "\n"
    tallies = PythonScorer(max_unit=30).score_file(text).tallies
    assert tallies["function_parse_rate"] == Tally(1, 1)
    assert tallies["units_per_kb"].amount == 2


ANY = st.text(
    st.sampled_from("()[]{}\"'`/*#\\\n\n  :=$@.,dclef" + "\ud800\0" + FILE_MARK), max_size=300
)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=30)
@given(text=ANY)
def test_any_text_has_a_score(language, text):
    for score in (
        LANGUAGES[language].scorer.score(text),
        LANGUAGES[language].scorer.score_file(text),
    ):
        assert score.first_error is None or 0 <= score.first_error.offset <= len(text)
        for key, tally in score.tallies.items():
            assert tally.amount >= 0 <= tally.of
            if key.endswith(("_rate", "_parse", "_fraction")):
                assert tally.amount <= tally.of
