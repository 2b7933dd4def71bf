import pytest

from evaluation.errors import ScoreError
from evaluation.scoring.rejection import checked_units, units_of
from modeling.vocab import FILE_MARK

PYTHON = (
    "x = 1\n\ndef good(a):\n    return a\n\ndef bad(a:\n    return a\n\nclass C:\n    pass\n\ny"
)
C = (
    "\nint good(void)\n{\n\treturn f(1);\n}\n"
    "\nint bad(void)\n{\n\treturn f(1];\n}\n\nint cut(void)\n{"
)


def test_units_of_python_are_checked_by_the_parser():
    found = dict(checked_units("python", [PYTHON]))
    assert [unit.split("(")[0].split(":")[0] for unit in found] == [
        "def good",
        "def bad",
        "class C",
    ]
    assert list(found.values()) == [True, False, True]


def test_units_of_c_are_checked_by_their_brackets():
    text = f"int first;\n}}\n{FILE_MARK}{C}"
    found = list(checked_units("c", [text]))
    assert [valid for _, valid in found] == [True, False]
    assert "good" in found[0][0]


def test_units_come_in_the_order_of_the_texts():
    texts = [f"\ndef f{i}():\n    pass\n\nx\n" for i in range(5)]
    assert [unit[:6] for unit, _ in checked_units("python", texts)] == [
        f"def f{i}" for i in range(5)
    ]


def test_prose_has_no_units():
    with pytest.raises(ScoreError, match="language 'prose' has no units"):
        units_of("prose", "Call me Ishmael.")
