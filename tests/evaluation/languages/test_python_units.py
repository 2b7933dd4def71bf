"""Where functions and blocks of Python begin and end, and what `ast.parse` says of them."""

import ast
from pathlib import Path

import pytest

from evaluation.languages.python import SCORER, SYNTAX, functions, logical_lines, top_level
from evaluation.results import Tally
from evaluation.syntax.bracketed import read_piece
from evaluation.syntax.units import Piece
from modeling.vocab import FILE_MARK


def whole(text: str) -> Piece:
    return Piece(offset=0, text=text)


def cut(text: str) -> Piece:
    return Piece(offset=0, text=text, cut_start=True, cut_end=True)


def defs(piece: Piece) -> list[str]:
    return [u.text for u in functions(piece, logical_lines(read_piece(SYNTAX, piece)))]


def blocks(piece: Piece) -> list[str]:
    return [u.text for u in top_level(piece, logical_lines(read_piece(SYNTAX, piece)))]


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

def j(k=lambda x: (x
), *, l={"m":
1}): pass
k = 1
'''


def test_functions_are_found_at_any_depth():
    found = defs(whole(PYTHON))
    heads = [text.split("(")[0].strip() for text in found]
    assert heads == ["async def g", "def h", "def i", "def j"]
    ends = ["return h", "return 1\n# A remark out of place.", "pass", "pass"]
    assert [text.rstrip().endswith(end) for text, end in zip(found, ends, strict=True)] == [
        True
    ] * 4


def test_blocks_have_their_decorators():
    first, second = blocks(whole(PYTHON))
    assert first.startswith("@b\n@c(") and first.rstrip().endswith("pass")
    assert second.startswith("def j(") and second.endswith(": pass\n")


def test_units_lie_where_they_say():
    code = logical_lines(read_piece(SYNTAX, whole(PYTHON)))
    for unit in (*functions(whole(PYTHON), code), *top_level(whole(PYTHON), code)):
        assert PYTHON[unit.offset : unit.end] == unit.text


def test_a_last_unit_that_was_cut_is_none():
    text = "x\ndef f():\n    return 1\n\nclass A:\n    def g(self):\n        ret"
    assert defs(cut(text)) == blocks(cut(text)) == ["def f():\n    return 1\n\n"]
    assert len(defs(whole(text))) == len(blocks(whole(text))) == 2


def test_a_unit_at_the_very_start_of_a_window_is_none():
    assert defs(cut("def f():\n    return 1\nx\n")) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('def f():\n    """\nhello\n"""\n    return 1\ndef g():\n    return 2\n', 2),
        ('def f():\n    x = """\nhello\n"""\n    return x\ndef g():\n    return 2\n', 2),
        ("def f():\n    return r'''\nx\\'''\n'''\ndef g(): pass\n", 2),
        ('x = """\nhello\n"""\ndef f():\n    return x\n', 1),
        ('x = """\ndef no():\n"""\ndef f():\n    return x\n', 1),
        ("def f(\na,\nb):\n    return a\n", 1),
        ("def f(a):\n    return (\na,\n)\n", 1),
        ('def f():\n    """\ndef is a keyword here\n    """\n    return 1\n', 1),
        ("def f():\n    return 1\n\x0cdef g():\n    return 2\n", 2),
        ("class A:\n    x = 1\n\x0c\n    def g(self):\n        return 2\n", 1),
        ("def f():\n    x = 1 + \\\n2\n    return x\n", 1),
        ("def f():\r\n    x = 1 + \\\r\n2\r\n    return x\r\n", 1),
        ("def f():\n\tif 1:\n\t\treturn 1\ndef g():\n        return 2\n", 2),
        ("def f(): return 'a' \\\n'b'\ndef g(): return f'{f()!r:>{10}} {{'\n", 2),
        ("if 1:\n  def f():\n   x = {\n1: (2,\n3)}\n   return x\n", 1),
        ("def f(a='''\ndef no(): pass\n''', *, b: 'c' = lambda: 1): return a\n", 1),
        ("# def no(): it's\ndef f(): return '#' # '\n", 1),
        ("def f[T](x: T) -> T:\n    return x\n", 1),
    ],
)
def test_what_strings_brackets_and_comments_contain_begins_and_ends_no_function(text, number):
    found = defs(whole(text))
    assert len(found) == number
    if "[T]" not in text:  # Python 3.12
        tallies = SCORER.score_file(text).tallies
        assert tallies["function_parse_rate"] == Tally(number, number)
        assert tallies["file_parse_rate"] == Tally(1, 1)


def test_the_standard_library_has_the_functions_that_ast_finds():
    for module in (ast, pytest):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
        names = sorted(node.name for node in nodes)
        assert sorted(u.split("def ")[1].split("(")[0] for u in defs(whole(text))) == names


@pytest.mark.parametrize(
    "text",
    [
        "x\ndef f():\n    return (1\n\ndef g():\n    return 1\n",
        "x\ndef f():\n    return 1)\n\ndef g():\n    return 1\n",
        "x\ndef f():\n    return 'a\n\ndef g():\n    return 1\n",
        "x\ndef f(a, (b:\n    return 1\n\ndef g(c):\n    return d)\n\ndef h():\n    pass)\n",
        'x\ndef f():\n    """A text.\n    return 1\n\ndef g():\n    return 1\n',
        'x\ndef f():\n    """A text.\n\ndef g():\n    """Text."""\n    return 1\n',
    ],
)
def test_a_fault_in_one_function_hides_no_other(text):
    tallies = SCORER.score_file(text).tallies
    number = text.count("def ")
    assert tallies["function_parse_rate"].of == tallies["toplevel_parse_rate"].of == number
    assert tallies["function_parse_rate"].amount == (1 if number == 2 else 0)


def test_an_unfinished_string_up_to_the_end_leaves_nothing_to_judge():
    for length in (50, 500, 5_000):
        score = SCORER.score("'''" + " word" * length)
        assert score.tallies["function_parse_rate"].of == 0
        assert score.tallies["swallowed_fraction"].amount == 3 + 5 * length
        assert score.tallies["nesting_mismatches_per_kb"].of == 0
        assert score.first_error and score.first_error.message.endswith("never ends")


@pytest.mark.parametrize(
    "text", ["   \nimport os\n", " # -*- coding: utf-8 -*-\nimport os\n", "  \n \n", "\x0cx = 1\n"]
)
def test_a_file_that_begins_with_blanks_parses(text):
    assert SCORER.score_file(text).tallies["file_parse_rate"] == Tally(1, 1)


def test_an_indented_file_does_not_parse():
    text = "  x = 1\n  y = 2\n"
    score = SCORER.score_file(text)
    assert score.tallies["file_parse_rate"] == Tally(0, 1)
    assert score.first_error and score.first_error.message == "unexpected indent"
    assert SCORER.score(text).tallies["whole_sample_parse"] == Tally(0, 1)
    sample = SCORER.score(FILE_MARK.join(("x\n", text, "x\n")))
    assert sample.tallies["file_parse_rate"] == Tally(0, 1)
