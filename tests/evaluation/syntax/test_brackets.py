"""The bracket lexer: what it skips, what it finds, and that no text slows it down."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.languages import LANGUAGES, python
from evaluation.syntax import brackets
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import MAX_CUT_LITERAL, Fault, Syntax, read

SYNTAXES: dict[str, Syntax] = {
    name: language.scorer.syntax
    for name, language in LANGUAGES.items()
    if isinstance(language.scorer, BracketScorer)
}
SYNTAXES["python"] = python.SYNTAX

GOOD = {
    "c": [
        'char *s = "}{)(";',
        r'char *s = "\"}";',
        "char a = '{', b = '\\'', c = '\"';",
        "int a; // don't {\nint b;",
        "int a; // goes on \\\n { here\nint b;",
        "/* ( [ { ' \" */ int a;",
        "/* one * two **/ f();",
        'char *s = "a \\\n b {";',
        "#define BEGIN {\nint a;",
        "#define LOOP do { \\\n  (x \\\nint a;",
        "#error don't do \"this\nint a;",
        "#define A 1 /* over\n two ( lines */\nint a;",
        "#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\n}",
        "#if A\nf(1,\n#elif B\nf(2,\n#else\nf(3,\n#if D\n{\n#endif\n#endif\n4);",
        "#if 0\nf(1;\n#elif B\nf(2,\n#else\nf(3,\n#endif\n4);",
        "#if A\n#if 0\n}\n#endif\n#endif\n",
        "a = b / c; f(d / e);",
    ],
    "java": [
        'String s = "}{)(";',
        "char a = '{', b = '\\'', c = '\\\\';",
        'String s = """\n  { "quoted" \\""" (\n  """;',
        'String s = "" + f("");',
        "char a = '\\u005c'', b = '{';",
        'String s = "a\\u0022 + f("b");',
        'String s = "\\\\u0022 {";',
        "/** don't { */ class A {}",
        "// don't {\nclass A {}",
    ],
    "lua": [
        "function f() return {1, 2} end",
        "if a then b() elseif c then d() else e() end",
        "for i = 1, 2 do f(i) end while x do y() end",
        "repeat f() until g()",
        "local s = [[ ) end ]] .. [==[ ]] ]=] ( ]==]",
        "--[[ ( end\n ]] f()",
        "--[==[ ]] ( ]==] f()",
        "-- don't end (\nf()",
        "--[ not long (\nf()",
        'local s = "it\'s ) \\" end"',
        "local s = 'a \\z\n   ) b'",
        "local endian, dofile, ifx, _end, do2 = 1",
        "local t = {['end'] = a[b[1]]}",
        "f(function() if x then return end end)",
    ],
    "scala": [
        'val s = "}{)("',
        'val s = """ { " "" ( """',
        'val s = """ends in a quote""""',
        'val s = s"a ${f(b)} c $d ("',
        'val s = s"${if (a) { "}" } else s"${b}{"} ("',
        'val s = s"""{ ${ x } " ( ${"y"}"""',
        'val s = s"$${ ("',
        "/* one /* two ( */ still { */ f()",
        "val a = '{'; val b = '\\''; val c = 'symbol; val d = '\\u007b'",
        "val a = `{ name`",
        "// don't {\nf()",
    ],
    "go": [
        'var s = "}{)(\\"{"',
        'var s = `\n}\\` + f(`{"`)',
        "var r = []rune{'{', '\\'', '\\\\', '\"', '`'}",
        "// don't {\nvar a = b / c /* } ' */",
        'import "C" // }\nfunc f() (x interface{}, c chan<- struct{}) { }',
    ],
    "rust": [
        'let s = "}{)(\\"\n{";',
        'let s = r"\\" + r#"} "{ "# + br##" }"# "##;',
        "fn f<'a, 'b: 'a>(x: &'a str) -> Vec<&'b u8> { vec!['{', '\\'', b'}', '\"', '\\u{7D}'] }",
        "'outer: loop { break 'outer; }",
        "/* one /* two } ' */ \" */ f()",
        "let r#type = 'a'; // don't {",
        "impl<'a,'b>A<'a,'b>{}",
        "m! { ($x:expr) => { '(' } }",
    ],
    "javascript": [
        'var s = "}{)(\\"{" + \'\\\'{"\';',
        "s = `a ${f({ b: `}${c ? `{` : '`'}` })} ( \\` \\${ $ {`;",
        "a = b / c; d(e) / f; g[0] / 2; h++ / 2; i = 1 / 2 / j;",
        "a = /[/({]/.test(b) || /\\/(/g; return /}/u;",
        "x = a.replace(/\"/g, '(').split(/'/);",
        "if (a) /{/.test(b); while (f(a)) /(/.exec(c);",
        "x = [ // don't\n  /{/, /* ' */\n  // (\n  /}/,\n];",
        "f(() => /(/, a ? /{/ : /[)]/, typeof /}/);",
        "a = { return: 1 }.return / 2 / f(b);",
        "if (a) { }\n/{/.test(b);",
        "x = <p>don't ( {a} \"{b ? <b>it's</b> : `}`} </p>;",
        "return (\n  <>\n    isn't {/* ' */}\n    <a b='{' c=\"}\" {...d} />\n  </>\n);",
        "x = <><a e={() => { f(); }} /> isn't </>;",
        "x = <A\n  // don't {\n  b={c}\n>it's</A>; y = '(';",
        "if (a <b || c < d && e> f) { g('<p>'); }",
        "#!/usr/bin/env node {\nf();",
        "x = <img alt='a' />; y = <br/>; z = '}';",
        "x = a <!--b\n",
        "class A { #b = 1; get c() { return this.#b / 2; } }",
        "s = 'a \\\n ( b';",
    ],
    "typescript": [
        "const f = <T,>(a: Array<Map<string, T>>): a is B<{ c: 'd' }> => a! / 2;",
        "x = <any>y / 2; z = <T>(a: T) => a;",
        "const e = <A<string> b={'}'}>it's (</A>;",
        "type A<B> = B extends `${infer C}{` ? { [k in keyof C]?: D } : never;",
        "function f(a: string): asserts a is 'b {' { }",
    ],
    "python": [
        "s = \"}{)(\" + '[' + f\"{a['b']}\"",
        's = """ { " "" ( """ + \'\'\' [ \' \'\'\'',
        "s = 'it\\'s ('",
        "s = r'\\\\' + '('  # don't (",
        "s = 'a \\\n b ('",
        "# ( [ {\nf()",
    ],
}

BAD = {
    "c": [
        ("f(a];", 3, "mismatch"),
        ("void f() {", 9, "unclosed"),
        ("}", 0, "unopened"),
        ('s = "abc;\nf();', 4, "unterminated"),
        ("c = 'a;\nf();", 4, "unterminated"),
        ("f(); /* abc", 5, "unterminated"),
        ("#if A\nf(\n#else\ng(\n#endif", 7, "unclosed"),
    ],
    "java": [
        ("f(a};", 3, "mismatch"),
        ('s = """\n  abc";', 4, "unterminated"),
        ("class A {", 8, "unclosed"),
    ],
    "lua": [
        ("if a then f() until", 14, "mismatch"),
        ("for i = 1, 2 do f(i)", 13, "unclosed"),
        ("f() end", 4, "unopened"),
        ("s = [==[ abc ]]", 4, "unterminated"),
        ("--[[ abc", 0, "unterminated"),
        ("s = 'abc\nf()", 4, "unterminated"),
        ("f(function() g())", 16, "mismatch"),
    ],
    "scala": [
        ('s"${f(a]}"', 7, "mismatch"),
        ('val s = s"${a', 11, "unclosed"),
        ('s"${a} b\nf()', 4, "unterminated"),
        ('val s = """ abc "" ', 8, "unterminated"),
        ("/* one /* two */ f()", 0, "unterminated"),
        ('val s = "abc\nf()', 8, "unterminated"),
    ],
    "go": [
        ("f(a];", 3, "mismatch"),
        ('s = "abc\nf()', 4, "unterminated"),
        ("s = `abc", 4, "unterminated"),
        ("c = 'a\nf()", 4, "unterminated"),
        ("func f() {", 9, "unclosed"),
    ],
    "rust": [
        ("f(a];", 3, "mismatch"),
        ('s = "abc;', 4, "unterminated"),
        ('s = r##"a"# b', 5, "unterminated"),
        ("/* one /* two */ f()", 0, "unterminated"),
        ("fn f<'a>() {", 11, "unclosed"),
    ],
    "javascript": [
        ("f(a];", 3, "mismatch"),
        ("s = `a ${f(b]}`", 12, "mismatch"),
        ("s = `a ${b} c", 4, "unterminated"),
        ("s = 'abc\nf()", 4, "unterminated"),
        ("s = /ab(\nf()", 4, "unterminated"),
        ("x = <p>a<p>b</p>;", 4, "unterminated"),
        ("x = <p>{f(a]}</p>;", 11, "mismatch"),
    ],
    "typescript": [("f<T>(a];", 6, "mismatch"), ("s = `${a", 7, "unclosed")],
    "python": [
        ("f(a]", 3, "mismatch"),
        ("x = '''abc''", 4, "unterminated"),
        ("x = 'abc\nf()", 4, "unterminated"),
        ("x = (1", 4, "unclosed"),
    ],
}


def faults_of(language: str, text: str, **cuts: bool) -> list[Fault]:
    return sorted(read(SYNTAXES[language], text, **cuts).faults, key=lambda fault: fault.offset)


@pytest.mark.parametrize(("language", "text"), [(k, t) for k, ts in GOOD.items() for t in ts])
def test_real_code_is_balanced(language, text):
    assert faults_of(language, text) == []


@pytest.mark.parametrize(
    ("language", "text", "offset", "kind"), [(k, *each) for k, v in BAD.items() for each in v]
)
def test_a_planted_fault_is_found_where_it_stands(language, text, offset, kind):
    first = faults_of(language, text)[0]
    assert (first.offset, first.kind) == (offset, kind)


def test_a_literal_without_end_counts_what_it_swallows():
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
def test_what_a_cut_did_is_free(language, window):
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


ATOMS = {
    "c": ["a", " ", "\n", "'('", '"]"', "/* { */", "// )\n", "#define X (\n"],
    "java": ["a", " ", "\n", "'('", '"]"', "/* { */", "// )\n", '"""\n{"""'],
    "lua": ["a ", " ", "\n", "'('", '"]"', "--[[ end ]]", "-- )\n", "[=[ { ]=]", "end_"],
    "scala": [" ", "\n", "'('", ' "]"', "/* /* { */ */", "// )\n", ' """{"""', ' s"(${a}["'],
    "go": ["a", " ", "\n", "'('", '"]"', "/* { */", "// )\n", "`\n{`"],
    "rust": [" a ", " ", "\n", "'('", '"]"', "/* /* { */ */", "// )\n", ' r#"{"#', " 'b "],
    "javascript": ["a", " ", "\n", "'('", '"]"', "/* { */", "// )\n", "`\n{`", "(/[/{]/)"],
    "typescript": ["a", " ", "\n", "'('", '"]"', "/* { */", "// )\n", "`\n{`", "b<c>"],
    "python": ["a", " ", "\n", "'('", '"]"', "# )\n", '"""{"""', "'''\n[\n'''"],
}
FRAMES = {
    "javascript": [" `({{ ${{ {} }}`", " =<p>' {{ {} }} (</p>;"],
    "lua": [" if {} end ", " function {} end ", " do {} end ", " repeat {} until "],
    "scala": [' s"({{ ${{ {} }}"', ' s"""({{ ${{ {} }}"""'],
}


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
     "a", "(a", "\ud800", "}\n", "\n}"],
)  # fmt: skip
def test_the_time_grows_no_faster_than_the_text(language, unit):
    text = unit * (50_000 // len(unit))
    start = time.process_time()
    read(SYNTAXES[language], text, cut_start=True, cut_end=True)
    LANGUAGES[language].scorer.score_file(text, parse_units=False)
    assert time.process_time() - start < 2  # a quadratic one takes ten seconds


def test_no_pattern_needs_what_early_python_3_11_matches_wrongly():
    folder = Path(brackets.__file__).parent
    sources = [*folder.glob("*.py"), *folder.parent.glob("languages/*.py")]
    assert len(sources) > len(LANGUAGES)
    for source in sources:
        code = source.read_text(encoding="utf-8").replace("`(?:...)*+`", "")
        assert not re.search(r"\)[*+?]\+|\)\{[0-9,]+\}\+", code), source.name
