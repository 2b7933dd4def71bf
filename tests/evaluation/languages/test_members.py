"""Units of Java and Scala: the members of classes."""

import re

import pytest

from evaluation.languages import java, scala
from evaluation.results import Tally
from evaluation.syntax.units import Piece


def texts(pieces):
    return [piece.text for piece in pieces]


def whole(text: str) -> Piece:
    return Piece(offset=0, text=text)


def java_class(members: int) -> str:
    return "class A {\n" + "".join(f"  int f{n}() {{\n  }}\n" for n in range(members)) + "}\n"


def scala_class(members: int) -> str:
    return "class A {\n" + "".join(f"  def f{n} = {{\n  }}\n" for n in range(members)) + "}\n"


@pytest.mark.parametrize("members", [1, 2, 3])
def test_every_member_counts_also_the_first(members):
    for scorer, text in ((java.SCORER, java_class), (scala.SCORER, scala_class)):
        rate = scorer.score_file(text(members)).tallies["block_balance_rate"]
        assert rate == Tally(members, members)


JAVA = """package a;
@Deprecated
public class A<T> {
  private final Runnable no = () -> { no(1); };
  static { no(); }
  A() { super(); }
  @Override @SuppressWarnings({"a", "b"})
  public <U extends B<T>> Map<String, U[]> b(@C({1, 2}) int a, U... u) throws D, E {
    for (int i = 0; i < no(a); i++) {
      if (a) { no(new F() {
        public void c() { }
      }); } else if (b) { }
    }
    switch (a) { default: no(); }
    return new G<>(a) { int[] d() { return null; } };
  }
  abstract void no(int a);
  synchronized void i() { synchronized (this) { } }
  enum H { I(1) { void e() { } }, J; H() { } }
  record K(int a) {
    K { }
    public static K f() { return null; }
  }
  @interface L { String[] no() default {}; }
  interface M { default void g() { } void no(); }
  String s = \"\"\"
    void no() {
    }
    \"\"\";
  // void no() { }
  /* void no() {
  } */
}
"""


def test_units_of_java_are_methods_and_constructors_with_a_body():
    found = texts(java.SCORER.units(whole(JAVA)))
    names = [re.search(r"(\w)(?:\((?!\{)| \{)", unit)[1] for unit in found]
    assert names == ["A", "b", "c", "d", "i", "e", "H", "K", "f", "g"]
    assert found[1].lstrip().startswith("@Override") and found[1].endswith("};\n  }")
    assert java.SCORER.score_file(JAVA).tallies["block_balance_rate"] == Tally(10, 10)
    assert java.SCORER.score_file(JAVA).tallies["unit_parse_rate"] == Tally(10, 10)


def test_the_shape_of_the_layout_does_not_matter_in_a_file_without_faults():
    text = "class A { void f() { if (a) {\n} } void g()\n\n   {\n}\n\t\tint h()\n{ } }\n"
    for each in (text, text.replace("\n", "\r\n")):
        found = texts(java.SCORER.units(whole(each)))
        assert [re.search(r"(\w)\(\)", unit)[1] for unit in found] == ["f", "g", "h"]


SCALA = """object A {
  def b(x: Int) = x + 1
  def c(x: Int)(implicit y: B[C] = D()): Map[Int, E => F] =
    x.map { z =>
      z
    }
      .filter(_ > 0)

  @inline override def ==(x: A): Boolean = { true } || false
  def no: Int
  def no(x: Int): Int
  def unary_!(x: A) { proc }
  def e = 1; def f = { def g = 2; g }
  def this(x: Int) = this()
  def h = x match {
    case 1 => s"${if (x) { "}" } else "def no = 1"}"
    case _ => \"\"\"
def no = {
\"\"\"
  }
  def i =
    if (a) b
    else c
  /* def no = { /* } */ */
  val no = 'd'
  def `j k` = 1
}
"""


def test_units_of_scala_are_methods_with_braces_or_an_expression():
    found = texts(scala.SCORER.units(whole(SCALA)))
    names = [re.search(r"def ([^\s(:]+)", unit)[1] for unit in found]
    assert names == ["b", "c", "==", "unary_!", "e", "f", "g", "this", "h", "i", "`j"]
    assert found[1].endswith(".filter(_ > 0)") and found[2].endswith("|| false")
    assert found[4].strip() == "def e = 1" and found[9].endswith("else c")
    assert scala.SCORER.score_file(SCALA).tallies["block_balance_rate"] == Tally(11, 11)


def test_members_of_scala_that_are_expressions_are_units():
    text = "object A {\n  def f(x: Int) = x + 1\n  def g(x: Int) = x\n}\n"
    assert scala.SCORER.score_file(text).tallies["block_balance_rate"] == Tally(2, 2)


def test_indented_bodies_of_scala_3_end_with_their_indent():
    text = "object A:\n  def f(x: Int) =\n    val y = x\n    y + 1\n  def g = 1\nend A\n"
    found = texts(scala.SCORER.units(whole(text)))
    assert found == ["  def f(x: Int) =\n    val y = x\n    y + 1", "  def g = 1"]


def test_units_lie_where_they_say():
    for scorer, text in ((java.SCORER, JAVA), (scala.SCORER, SCALA)):
        for unit in scorer.units(whole(text)):
            assert text[unit.offset : unit.end] == unit.text
