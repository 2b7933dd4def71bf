"""Where units begin and end, and what a cut leaves out."""

import re

import pytest

from evaluation.languages import c, go, java, javascript, lua, rust, scala, typescript
from evaluation.results import Tally
from evaluation.syntax.units import Piece, files
from modeling.vocab import FILE_MARK


def texts(pieces):
    return [piece.text for piece in pieces]


def whole(text: str) -> Piece:
    return Piece(offset=0, text=text)


def cut(text: str) -> Piece:
    return Piece(offset=100, text=text, cut_start=True, cut_end=True)


def test_files_are_between_marks_and_the_outer_and_blank_ones_are_cut():
    text = FILE_MARK.join(("one", "two", "\n", "four"))
    found = list(files(text))
    assert texts(found) == ["one", "two", "\n", "four"]
    assert [text[piece.offset : piece.end] for piece in found] == texts(found)
    assert [piece.is_whole for piece in found] == [False, True, False, False]


def test_a_text_without_a_mark_is_one_file_cut_at_both_ends():
    assert list(files("abc")) == [Piece(offset=0, text="abc", cut_start=True, cut_end=True)]


def test_units_of_a_window_leave_out_what_was_cut():
    piece = cut("int a() {\n}\nint b() {\n}\nint c() {\n")
    found = list(c.SCORER.units(piece))
    assert texts(found) == ["int b() {\n}"]
    assert [unit.offset for unit in found] == [112]


C = """#include <a.h>
#define LOOP(x) do { \\
    x; \\
}
struct s {
    int (*f)(int);
} s[] = {
    {1},
};
int f(void) { if (a) { } return '}'; }
static struct s *
g(int a,
  char *b) __attribute__((noreturn))
{
    FOREACH(x) {
    }
}
int old(a, b)
    int a;
    char *b;
{
}
void (*h(int a, void (*b)(int)))(int)
{
}
/* int no() {
} */
int no(void);
const char *t = "\\
int no() {\\
}";
TEST(i, j) {
}
"""


def test_units_of_c_are_functions():
    found = texts(c.SCORER.units(whole(C)))
    starts = ["int f(", "static struct s *\ng(", "int old(", "void (*h(", "TEST(i"]
    assert [unit[: len(start)] for unit, start in zip(found, starts, strict=True)] == starts
    assert all(unit.endswith("}") for unit in found)
    assert c.SCORER.score_file(C).tallies["block_balance_rate"] == Tally(5, 5)


def test_a_macro_that_ends_in_a_brace_in_column_zero_spoils_no_function():
    macro = "#define A(x) { \\\n  f(x); \\\n}\n"
    for text in (macro + "int g() {\n}\n", macro.replace("\n", "\r\n") + "int g() {\r\n}\r\n"):
        assert c.SCORER.score_file(text).tallies["block_balance_rate"] == Tally(1, 1)


LUA = """function f() return 1 end
local function g()
   if a then
   end
end
M.h = function(a) end
local i = function()
   return function() end
end
local t = {
   j = function() end,
   ['no'] = function() end,
}
call(function()
   function a.b:k()
   end
end)
--[[
function no()
end
--]]
--[==[ function no() ]] end ]==]
s = [[
function no()
end
]]
"""


def test_units_of_lua_are_functions_with_a_name():
    found = texts(lua.SCORER.units(whole(LUA)))
    assert [re.search(r"\b[f-k]\b", unit)[0] for unit in found] == ["f", "g", "h", "i", "j", "k"]
    assert lua.SCORER.score_file(LUA).tallies["block_balance_rate"] == Tally(6, 6)


def test_a_function_in_a_comment_of_lua_is_none_and_spoils_none():
    text = "--[[\nfunction f()\nend\n--]]\nfunction g()\nend\n"
    assert texts(lua.SCORER.units(whole(text))) == ["function g()\nend"]
    assert lua.SCORER.score_file(text).tallies["block_balance_rate"] == Tally(1, 1)


@pytest.mark.parametrize(
    ("scorer", "good", "broken"),
    [
        (c.SCORER, "int f() {\n  g();\n}\n", "int f() {\n  g(;\n}\n"),
        (java.SCORER, "  int f() {\n    g();\n  }\n", "  int f() {\n    if (a) {\n  }\n"),
        (java.SCORER, "  int f() {\n  }\n", "  int f( {\n  }\n"),
        (lua.SCORER, "function f()\n  g()\nend\n", "function f()\n  if a then\nend\n"),
        (scala.SCORER, "  def f = {\n  }\n", "  def f = {\n    g(\n  }\n"),
        (scala.SCORER, "  def f = g(1)\n", "  def f = g(1\n"),
    ],
)
def test_a_fault_spoils_its_own_unit_and_no_other(scorer, good, broken):
    head = "class A {\n" if scorer in (java.SCORER, scala.SCORER) else "\n"
    for text in (good + broken + good, broken + good + good, good + good + broken):
        tallies = scorer.score_file(head + text + "}\n" * (head != "\n")).tallies
        assert tallies["block_balance_rate"] == Tally(2, 3)


def test_units_lie_where_they_say():
    for scorer, text in ((c, C), (lua, LUA)):
        for unit in scorer.SCORER.units(whole(text)):
            assert text[unit.offset : unit.end] == unit.text


def names(pieces):
    return [re.search(r"(\w+)\W*\(", text)[1] for text in texts(pieces)]


def test_units_of_go_are_functions_with_a_body():
    text = (
        "package a\n\nfunc (t *T) f(a interface{}) struct{} {\n\tg := func() {\n\t}\n}\n\n"
        "func Sqrt(x float64) float64\n\n/*\nfunc no() {\n}\n*/\nvar s = `\nfunc no() {\n}`\n\n"
        "func h[T any](a T) { g() }\n"
    )
    found = texts(go.SCORER.units(whole(text)))
    assert [unit.split("(a")[0] for unit in found] == ["func (t *T) f", "func h[T any]"]
    assert found[0].endswith("\t}\n}") and found[1].endswith("{ g() }")


def test_units_of_rust_are_functions_with_a_body_at_any_depth():
    text = (
        "trait A {\n    fn no(&self, a: [u8; 2]);\n"
        "    fn f(&self) -> [u8; 2] {\n        x\n    }\n}\n"
        "impl A for B { fn g() { 1 } fn h(C { d }: C) {} }\n// fn no() {\n"
        'const S: &str = r#"\nfn no() {\n}"#;\n\npub(crate) fn i<T>()\nwhere\n    T: A,\n{\n}\n'
    )
    found = texts(rust.SCORER.units(whole(text)))
    assert [re.search(r"fn (\w)", unit)[1] for unit in found] == ["f", "g", "h", "i"]


def test_units_of_javascript_are_methods_and_named_functions():
    text = (
        "export default async function f({\n  a,\n}) {\n  b(function no() {\n  });\n}\n"
        "class A {\n  static async g(a) {\n    if (a) {\n    }\n    no(a);\n  }\n"
        "  get h() { return 1 }\n}\n"
        "const i = (a) => {\n};\nconst j = (b) =>\n  b + 1;\nexports.k = function (c) {\n};\n"
        "// function no() {\nlet s = `\nfunction no() {\n}`;\nconst no = f(1);\n"
    )
    found = names(javascript.SCORER.units(whole(text)))
    assert found == ["f", "g", "h", "i", "j", "function"]


def test_units_of_typescript_have_bodies_after_their_types():
    text = (
        "function no(a: string): void;\n"
        "function f<T extends { a: (b: T) => void }>(b: T): { c: T } {\n}\n"
        "interface A {\n  no(a: string): void;\n}\nclass B {\n"
        "  private g?(c: { d: 1 }): c is C<{ e: 1 }> {\n"
        "  }\n}\nconst h = <T,>(a: T): Promise<{ b: T }> => {\n};\n"
    )
    found = texts(typescript.SCORER.units(whole(text)))
    assert [re.search(r"\b[fgh]\b", unit)[0] for unit in found] == ["f", "g", "h"]


def test_a_missing_brace_spoils_one_unit():
    good = "func a() {\n\tif b {\n\t}\n}\n\n"
    tallies = go.SCORER.score_file(good + good.replace("\t}\n", "") + good).tallies
    assert tallies["block_balance_rate"] == Tally(2, 3)


def test_a_declaration_that_never_ends_is_one_unit_up_to_the_next():
    found = texts(rust.SCORER.units(whole("fn a() {\n  b\nfn c() {\n}\n")))
    assert found == ["fn a() {\n  b\n", "fn c() {\n}"]
    assert texts(rust.SCORER.units(cut("x\nfn c() {\n  b"))) == []
