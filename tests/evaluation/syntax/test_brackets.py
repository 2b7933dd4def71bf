"""The bracket lexer: what it skips, what it finds, and that no text slows it down."""

import re
import time
import timeit
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.languages import LANGUAGES, python
from evaluation.syntax import brackets
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import MAX_CUT_LITERAL, Fault, Syntax, read
from tests.evaluation.syntax.cases import ATOMS, BAD, FRAMES, GOOD

SYNTAXES: dict[str, Syntax] = {
    name: language.scorer.syntax
    for name, language in LANGUAGES.items()
    if isinstance(language.scorer, BracketScorer)
}
SYNTAXES["python"] = python.SYNTAX


def faults_of(language: str, text: str, **cuts: bool) -> list[Fault]:
    return sorted(read(SYNTAXES[language], text, **cuts).faults, key=lambda fault: fault.offset)


def test_every_language_of_the_table_has_cases():
    assert set(GOOD) == set(BAD) == set(ATOMS) == set(SYNTAXES)


@pytest.mark.parametrize(("language", "text"), [(k, t) for k, ts in GOOD.items() for t in ts])
def test_real_code_is_balanced(language, text):
    assert faults_of(language, text) == []


@pytest.mark.parametrize(
    ("language", "text", "offset", "kind"), [(k, *each) for k, v in BAD.items() for each in v]
)
def test_a_planted_fault_is_found_at_its_offset(language, text, offset, kind):
    first = faults_of(language, text)[0]
    assert (first.offset, first.kind) == (offset, kind)


def test_an_unterminated_literal_counts_what_it_swallows():
    (fault,) = faults_of("c", 'a("b);\n);')
    assert (fault.offset, fault.swallowed) == (2, 4)


def test_a_message_names_both_brackets():
    assert faults_of("c", "{ f(a; }")[0].message == "'}' closes '('"


def test_one_forgotten_closer_is_one_fault():
    assert len(faults_of("java", "class A { void f() { g(a; } void h() { i(b); } }")) == 1


def test_one_closer_too_many_is_one_mismatch():
    kinds = [fault.kind for fault in faults_of("java", "class A { void f() { g(a)); } }")]
    assert kinds == ["mismatch", "unopened"]


@pytest.mark.parametrize(
    ("language", "window"),
    [
        ("c", "the rest of don't { a comment */ int f() { }"),
        ("c", 'rest of a string %d{", a);\nint f() { }'),
        ("c", "} } ) int f() { return a["),
        ("c", "int f() { } /* a comment that was"),
        ("c", 'int f() { } char *s = "a string that wa'),
        ("java", "it's {@code a} comment */ class A { }"),
        ("lua", "don't end ( ]] f()\nlocal s = [[ and"),
        ("scala", " * it's ( a comment */ class A { } } def a = {"),
        ("go", "it's ( a raw string` + f()\nvar s = `and"),
        ("rust", "it's ( a string\\n\"; f()\n/* and"),
        ("javascript", "it's ( a template`; f(`${a}`)\n/* and"),
        ("python", "it's ( a docstring\n\"\"\"\ndef f(): return '[' + (1, 2\n"),
        ("python", "and (a list\n'''\nx = \"\"\" that is"),
    ],
)
def test_faults_caused_by_a_cut_are_excused(language, window):
    assert faults_of(language, window, cut_start=True, cut_end=True) == []
    assert faults_of(language, window) != []


def test_a_mismatch_in_a_window_is_not_free():
    faults = faults_of("c", "} int f() { a(b]; } {", cut_start=True, cut_end=True)
    assert [fault.kind for fault in faults] == ["mismatch"]


def test_a_literal_that_swallows_a_window_is_not_free():
    text = "int f() { }\n/*" + " a" * MAX_CUT_LITERAL
    faults = faults_of("c", text, cut_start=True, cut_end=True)
    assert [fault.kind for fault in faults] == ["unterminated"]


def test_the_end_of_a_comment_late_in_a_bad_window_excuses_only_what_is_before_it():
    text = "a(b]; " * 10 + "*/" + " a(b];" * 10
    reading = read(SYNTAXES["c"], text, cut_start=True)
    assert reading.start == 62
    assert len(reading.faults) == 10


def balanced(language: str) -> st.SearchStrategy[str]:
    frames = ["({})", "[ {} ]", "{{{}}}", *FRAMES.get(language, [])]
    return st.recursive(
        st.sampled_from(ATOMS[language]),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(" ".join),
            st.builds(str.format, st.sampled_from(frames), inner),
        ),
        max_leaves=20,
    )


@pytest.mark.parametrize("language", ATOMS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_nest_of_brackets_and_literals_is_balanced(language, data):
    assert faults_of(language, data.draw(balanced(language))) == []


@pytest.mark.parametrize("language", ATOMS)
@settings(max_examples=30)
@given(data=st.data())
def test_one_more_closer_is_found_anywhere(language, data):
    before, after = data.draw(balanced(language)), data.draw(balanced(language))
    closer = data.draw(st.sampled_from(sorted(SYNTAXES[language].closers)))
    (fault,) = faults_of(language, f"{before} {closer} {after}")
    assert (fault.kind, fault.offset) == ("unopened", len(before) + 1)


HOSTILE = st.text(st.sampled_from("()[]{}\"'`/*#\\\n$=-zsaendif ué\ud800\uffff"), max_size=200)


@pytest.mark.parametrize("language", ATOMS)
@settings(max_examples=30)
@given(text=HOSTILE, cut_start=st.booleans(), cut_end=st.booleans())
def test_any_text_is_read_and_its_faults_lie_within(language, text, cut_start, cut_end):
    reading = read(SYNTAXES[language], text, cut_start=cut_start, cut_end=cut_end)
    assert 0 <= reading.start <= len(text)
    for fault in reading.faults:
        assert 0 <= fault.offset <= fault.offset + fault.swallowed <= len(text)


@pytest.mark.parametrize("language", ATOMS)
@pytest.mark.parametrize(
    "unit",
    ["(", ")", "([{", "(]", '"', "'", '"""', "\\", '"\\', "/*", "/* */", "*", "[[", "[=", "--[=[",
     "[====[]===]", "]=", 's"${', 's"""${', "$", "#", "#if\n#else\n", "\\u0022", "\n", " ", "-",
     "if ", "=/", "=<p>", "=</p>", "`${", "r#\"", "{/[", "<p {", ")/", "fn a{", "fn a{\n", "a(){",
     "func a{", "\nfunc a(", "\na=b=>", "\na(b):c{", "\nfunction a<", "end ", "ifend",
     "a", "(a", "\ud800", "}\n", "\n}", "a\n", "a\n#else\n", "a*\n \n"],
)  # fmt: skip
def test_the_time_grows_no_faster_than_the_text(language, unit):
    def seconds(characters: int) -> float:
        text = unit * (characters // len(unit))

        def judge() -> None:
            read(SYNTAXES[language], text, cut_start=True, cut_end=True)
            LANGUAGES[language].scorer.score_file(text, parse_units=False)

        return timeit.timeit(judge, number=1, timer=time.process_time)  # without collecting garbage

    if seconds(12_000) > 0.1:  # eight times the text takes some eight times as long, or 64
        short, long = (min(seconds(n) for _ in range(3)) for n in (3_000, 24_000))
        assert long < 24 * short


def test_no_pattern_needs_what_early_python_3_11_matches_wrongly():
    folder = Path(brackets.__file__).parent
    sources = [*folder.glob("*.py"), *folder.parent.glob("languages/*.py")]
    assert len(sources) > len(LANGUAGES)
    for source in sources:
        code = source.read_text(encoding="utf-8").replace("`(?:...)*+`", "")
        assert not re.search(r"\)[*+?]\+|\)\{[0-9,]+\}\+", code), source.name
