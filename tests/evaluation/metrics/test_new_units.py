import random

import pytest

from evaluation.metrics.groups import score_group
from evaluation.metrics.new_units import NEW_UNITS
from evaluation.metrics.originality import CopyIndex
from evaluation.scoring.judged import judge
from modeling.vocab import FILE_MARK

FUNCTION = "def f{0}(a, b):\n    first = a.method_{0}(b)\n    return first + {0}\n\n\n"
COPIED = FUNCTION.format(77)
C_FUNCTION = "int f{0}(int a)\n{{\n\treturn g{0}(a) + {0};\n}}\n\n"


def group(texts, language="python", training=(COPIED,)):
    copies = CopyIndex(list(training), [("train.py", None)] * len(training))
    return score_group(texts, name="x", role="model", language=language, copies=copies)


def new_units(text, **changes):
    tally = group([text], **changes).texts[0].tallies[NEW_UNITS]
    assert tally.of == pytest.approx((len(text) - text.count(FILE_MARK)) / 1000)
    return tally.amount


def test_valid_units_are_counted_per_kb():
    text = "".join(FUNCTION.format(i) for i in range(5)) + "x = 1\n"
    assert new_units(f"x = 0\n{text}") == 5


def test_a_method_and_a_nested_function_count_as_the_headline_counts_them():
    text = (
        "\nclass C:\n    def m(self):\n        def n():\n            return 1\n"
        "        return n\n\n\nx = 1\n"
    )
    assert new_units(text) == 2


def test_broken_copied_and_repeated_units_do_not_count():
    broken = "def g(a:\n    return a\n\n\n"
    assert new_units(f"\n{broken}{FUNCTION.format(1)}x = 1\n") == 1
    assert new_units(f"\n{COPIED}{FUNCTION.format(1)}x = 1\n") == 1
    assert new_units("\n" + FUNCTION.format(1) * 20 + "x = 1\n") == 1


def test_blocks_of_other_languages_count_by_their_brackets():
    text = (
        FILE_MARK
        + "".join(C_FUNCTION.format(i) for i in range(3))
        + "int bad(void)\n{\n\tg(];\n}\n"
    )
    assert new_units(text, language="c") == 3


@pytest.mark.parametrize("text", [" \n" * 500, "", FILE_MARK, "# note\n" * 100, '"""' + "a " * 500])
def test_text_without_units_has_none(text):
    assert new_units(text) == 0


def test_prose_has_no_such_metric():
    assert NEW_UNITS not in group(["Call me Ishmael."], language="prose").texts[0].tallies


def test_units_lie_where_they_are_found():
    generator = random.Random(0)
    text = f"x = 1\n{FILE_MARK}" + "".join(
        FUNCTION.format(generator.randrange(99)) for _ in range(4)
    )
    (found,) = judge("python", [text])
    assert len(found.units) == 3  # the last one may be cut
    assert all(text[unit.start : unit.end] == unit.text for unit in found.units)


@pytest.mark.parametrize(
    ("language", "opening"),
    [("python", "'''"), ("c", "/*"), ("scala", '"""'), ("lua", "[["), ("java", '"""\n')],
)
def test_a_string_or_comment_that_never_ends_is_found_where_it_begins(language, opening):
    for length in (100, 2_900, 9_000):
        text = f"x = 1\n{opening}" + "words and words " * (length // 16)
        (found,) = judge(language, [text], from_start=True)
        assert found.unfinished == 6
    (found,) = judge(language, [f"{FILE_MARK}x = 1\n"])
    assert found.unfinished is None


def test_inside_an_unfinished_string_nothing_counts_as_free_of_crossed_brackets():
    text = "'''" + "a sample of words\n" * 150
    metrics = group([text]).group.metrics
    assert metrics["nesting_mismatches_per_kb"].value is None
    half = FILE_MARK + f"x = (1]\n{'y = 1' + chr(10)}" * 60 + text
    tally = group([half]).texts[0].tallies["nesting_mismatches_per_kb"]
    assert tally.amount == 60
    assert tally.of == pytest.approx(60 * 14 / 1000, abs=0.02)
