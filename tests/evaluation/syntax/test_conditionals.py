"""What the C lexer reads: digits, raw strings, directives, and which branches of a conditional."""

import pytest

from evaluation.languages import c
from evaluation.syntax.brackets import read


def faults(text: str) -> list[str]:
    return [fault.message for fault in read(c.SCORER.syntax, text).faults]


@pytest.mark.parametrize(
    "text",
    [
        "int x = 1'000;",
        "if (a > 10'000) { }",
        "x = 1'000'000 + 0xFF'FFu + 0b1010'0101 + '\\'' + u8'a';",
        "switch (a) { case'a': f('b'); }",
        'x = R"z(")" ( [ )z"; y = LR"a(})")a";',
        'x = FOOR"(";',
    ],
)
def test_literals_of_new_standards_are_balanced(text):
    assert faults(text) == []


@pytest.mark.parametrize(
    "condition",
    ["#if 0", "#if (0)", "#if 0L", "# if ( 0u ) // no", "#if 0x0", "#if(0)", "#if 0 && A",
     "#if false", "#if !1", "#if 0b0", "#if 1 || A\n#else",
     "#if 1\n#else", "#if 1\n#elif A", "#if A\n#elif 0"],
)  # fmt: skip
def test_dead_code_may_be_prose(condition):
    text = f"{condition}\nIt isn't code (or {{ so.\n#endif\nint x;\n"
    assert faults(text) == []


@pytest.mark.parametrize(
    "condition",
    [
        *("#if 1", "#if A", "#if 0 || A", "#if 0x10", "#ifdef A", "#if (0 && A) || B"),
        *("#if 0 && A || B", "#if (1 || A) && B\n#else", "#if 1 || A && B\n#else"),
    ],
)
def test_code_that_may_be_compiled_is_read(condition):
    assert faults(f"{condition}\nf(\n#endif\n") == ["'(' is never closed"]


def test_dead_code_closes_and_opens_nothing():
    assert faults("#if 0\nif (false) {\n#endif\n}\n") == ["'}' closes nothing"]
    assert faults("#if 0\n}\n#endif\n{\n") == ["'{' is never closed"]


ALTERNATIVES = "#if A\nif (a) {\n#else\nif (b) {\n#endif\n}\n"
BOTH = "#if B\nf();\n#else\nif (c) {\n#endif\ng();\n#if !B\n}\n#endif\n"


def test_every_conditional_has_its_own_reading():
    assert faults(ALTERNATIVES + BOTH) == faults(BOTH + ALTERNATIVES) == []
    assert faults("#if C\n" + ALTERNATIVES + "#else\n" + BOTH + "#endif\n") == []


def test_a_fault_in_a_balanced_alternative_is_found():
    assert faults("#if A\nf();\n#else\nf(a];\n#endif\n") == ["']' closes '('"]


def test_code_shows_neither_dead_branches_nor_directives():
    code = read(c.SCORER.syntax, "#if 0\nint no() {}\n#endif\nint f() {}\n").code
    assert code.split() == ["int", "f()", "{}"]
    text = "#if A\nint f(a) {\n#else\nint f(a, b) {\n#endif\n}\n"
    assert read(c.SCORER.syntax, text).code.split() == ["int", "f(a)", "{", "}"]
