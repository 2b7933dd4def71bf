"""Where units begin and end, and what a cut leaves out."""

import re

from evaluation.languages import c, go, java, javascript, lua, rust, scala, typescript
from evaluation.results import Tally
from evaluation.syntax.units import Piece, closed_blocks, files, functions, top_level_blocks
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


def test_blocks_of_a_window_leave_out_the_first_and_what_follows_the_last():
    piece = cut("a\n}\nb\n}\nc\n}\nd")
    found = list(closed_blocks(piece, closer=re.compile(r"\n\}")))
    assert texts(found) == ["\nb\n}", "\nc\n}"]
    assert [block.offset for block in found] == [103, 107]


def test_blocks_of_a_whole_file_have_the_first():
    assert texts(closed_blocks(whole("a\n}\nb\n}\nc"), closer=re.compile(r"\n\}"))) == [
        "a\n}",
        "\nb\n}",
    ]


def test_units_of_c_end_in_column_zero():
    text = "int f() {\n    if (a) {\n    }\n}\nstruct s {\n} s[] = {\n    1,\n};\nint h;\n"
    assert len(texts(c.SCORER.units(whole(text)))) == 3


def test_units_of_lua_include_what_follows_end_on_its_line():
    text = "f(function()\n  if a then\n  end\nend, {a = 1})\nfunction g()\nend\nendless = 1\n"
    assert texts(lua.SCORER.units(whole(text))) == [
        "f(function()\n  if a then\n  end\nend, {a = 1})",
        "\nfunction g()\nend",
    ]


JAVA = """class A {
  private int a;
  public void f() {
    if (a) {
    }
  }
  public void g() {
  }
  static void h() {
  }
}
class B {
  void i() {
  }
  public void j() {
  }
}
"""


def test_units_of_java_are_members_but_for_those_with_the_header_of_the_class():
    names = [re.findall(r"(\w)\(\) \{", text) for text in texts(java.SCORER.units(whole(JAVA)))]
    assert names == [["g"], ["h"], ["j"]]


def test_units_of_java_follow_the_indent_of_the_members():
    wide = texts(java.SCORER.units(whole(JAVA.replace("  ", "\t"))))
    assert len(wide) == len(texts(java.SCORER.units(whole(JAVA)))) == 3


def test_statements_of_an_outer_class_are_no_units_though_most_members_are_nested():
    inner = "".join(f"    public void f{n}() {{\n    }}\n" for n in range(9))
    outer = "  public void g() {\n    if (a) {\n    }\n    while (b) {\n    }\n  }\n"
    text = f"class A {{\n{outer}  static class B {{\n{inner}  }}\n{outer}}}\n"
    found = texts(java.SCORER.units(whole(text)))
    assert found == [f"\n  static class B {{\n{inner}  }}", f"\n{outer}".rstrip()]


def test_one_stray_indent_does_not_move_that_of_the_members():
    members = "".join(f"    public void f{n}() {{\n    }}\n" for n in range(12))
    text = f"class A {{\n  public int a;\n{members}}}\n"
    assert len(texts(java.SCORER.units(whole(text)))) == 11


def test_units_of_scala_are_members_with_braces():
    text = "trait A {\n  def f = {\n  }\n  def g = 1\n  def h = {\n    { }\n  }\n}\n"
    assert texts(scala.SCORER.units(whole(text))) == ["\n  def g = 1\n  def h = {\n    { }\n  }"]


PYTHON = '''import a

@b
@c(
    d
)
class E(
    F
):
    """Text."""

    async def g(self):
        def h():
            return 1
# A remark out of place.
        return h

    def i(
        self
    ):
        pass

def j(): pass
k = 1
'''


def test_functions_of_python_are_found_at_any_depth():
    found = texts(functions(whole(PYTHON)))
    assert [text.split("(")[0].strip() for text in found] == [
        "async def g",
        "def h",
        "def i",
        "def j",
    ]
    assert found[0].rstrip().endswith("return h")
    assert found[2].rstrip().endswith("pass")


def test_blocks_of_python_hold_their_decorators():
    first, second = texts(top_level_blocks(whole(PYTHON)))
    assert first.startswith("@b\n@c(") and first.rstrip().endswith("pass")
    assert second == "def j(): pass\n"


def test_a_last_python_unit_that_was_cut_is_none():
    text = "x\ndef f():\n    return 1\n\nclass A:\n    def g(self):\n        ret"
    assert texts(functions(cut(text))) == ["def f():\n    return 1\n\n"]
    assert texts(top_level_blocks(cut(text))) == ["def f():\n    return 1\n\n"]
    assert len(texts(functions(whole(text)))) == len(texts(top_level_blocks(whole(text)))) == 2


def test_a_python_unit_at_the_very_start_of_a_window_is_none():
    assert texts(functions(cut("def f():\n    return 1\nx\n"))) == []


def test_units_lie_where_they_say():
    for scorer in (c.SCORER, java.SCORER, lua.SCORER, scala.SCORER):
        for unit in scorer.units(whole(JAVA)):
            assert JAVA[unit.offset : unit.end] == unit.text
    for unit in (*functions(whole(PYTHON)), *top_level_blocks(whole(PYTHON))):
        assert PYTHON[unit.offset : unit.end] == unit.text


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
