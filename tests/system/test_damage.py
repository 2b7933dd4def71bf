import pytest

from system.damage import explaining_damage
from system.errors import CharmillError, SettingsError


def nested(depth):
    return nested(depth + 1)


@pytest.mark.parametrize(
    "parse",
    [
        lambda path: path.read_text(),
        lambda path: int("x\ny"),
        lambda path: {}["key"],
        lambda path: None.key,
        lambda path: nested(0),
    ],
)
def test_whatever_a_parser_raises_names_the_file_and_what_to_do(parse, tmp_path):
    words = rf"{tmp_path}/a\.json: damaged, or of another version: .+; make it again$"
    with (
        pytest.raises(SettingsError, match=words) as caught,
        explaining_damage(tmp_path / "a.json", SettingsError, "make it again"),
    ):
        parse(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_what_is_explained_already_is_left_as_it_is(tmp_path):
    with (
        pytest.raises(CharmillError, match=r"^known$"),
        explaining_damage(tmp_path, SettingsError, "make it again"),
    ):
        raise CharmillError("known")


def test_an_exception_that_no_parser_raises_is_a_bug(tmp_path):
    with pytest.raises(AssertionError), explaining_damage(tmp_path, SettingsError, "again"):
        raise AssertionError
