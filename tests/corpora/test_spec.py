import pytest

from corpora.errors import SpecError
from corpora.spec import SHIPPED, dataset_files, load_dataset, merged

GOOD = """
title = "Mine"
language = "python"
[source]
kind = "folder"
path = "~"
[corpus]
extensions = [".py"]
"""


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_every_dataset_that_ships_is_valid(name):
    assert load_dataset(name).title


def test_a_dataset_of_the_user_stands_beside_those_that_ship(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    assert load_dataset("mine", [tmp_path]).title == "Mine"
    assert "python-stdlib" in dataset_files([tmp_path])


def test_an_unknown_dataset_is_refused_with_the_known_names():
    with pytest.raises(SpecError, match=r"no dataset 'nosuch'; known: austen, .*python-stdlib"):
        load_dataset("nosuch")


def test_a_name_that_ships_can_not_be_taken(tmp_path):
    (tmp_path / "torch.toml").write_text(GOOD)
    with pytest.raises(SpecError, match="the name is taken by"):
        dataset_files([tmp_path])


@pytest.mark.parametrize("name", ["Mine", "my_code", "-x", "a--b"])
def test_a_name_that_is_no_slug_is_refused(tmp_path, name):
    (tmp_path / f"{name}.toml").write_text(GOOD)
    with pytest.raises(SpecError, match=r"a-z, 0-9 and single '-'"):
        dataset_files([tmp_path])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Mine"', "title = ", "not valid TOML"),
        ('kind = "folder"', 'kind = "ftp"', r"source: .*'folder', 'git'"),
        ("[corpus]", "[corpus]\nmax_byte = 3", "corpus.max_byte: Extra inputs"),
        ('[".py"]', '["py"]', r"'py' is not an extension such as '.py'"),
        ('[".py"]', "[]", "corpus.extensions: .*at least 1"),
        ('path = "~"', "path = 7", r"source.folder.path: .*string.*given: 7"),
        ('language = "python"', "", "language: Field required"),
        ('title = "Mine"\nlanguage = "python"', "", "title, language: Fields required"),
    ],
)
def test_a_wrong_toml_is_one_line_with_file_and_key(tmp_path, old, new, message):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(SpecError, match=message) as caught:
        load_dataset("mine", [tmp_path])
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_overrides_lie_over_the_toml(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    spec = load_dataset("mine", [tmp_path], {"corpus": {"split": {"test": 0.2}}})
    assert (spec.corpus.split.test, spec.corpus.extensions) == (0.2, (".py",))


def test_merging_replaces_leaves_and_keeps_the_rest():
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert merged(below, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}, "d": 1}


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 2_000])
def test_a_toml_that_the_parser_cannot_hold_is_one_line(value, tmp_path):
    (tmp_path / "mine.toml").write_text(f"title = {value}")
    with pytest.raises(SpecError, match=r"mine\.toml: not valid TOML: "):
        load_dataset("mine", [tmp_path])


def test_a_toml_that_is_a_folder_is_one_line(tmp_path):
    (tmp_path / "mine.toml").mkdir()
    with pytest.raises(SpecError, match=r"mine\.toml: cannot be read: Is a directory"):
        load_dataset("mine", [tmp_path])
    with pytest.raises(SpecError, match="no folder of datasets: File name too long"):
        load_dataset("mine", [tmp_path / ("a" * 300)])


def test_a_name_too_long_for_the_names_of_locks_is_refused(tmp_path):
    (tmp_path / f"{'a' * 101}.toml").write_text("")
    with pytest.raises(SpecError, match="at most 100"):
        load_dataset("mine", [tmp_path])


@pytest.mark.parametrize(
    ("language", "limits", "found"),
    [
        ("prose", "", (0, 0)),
        ("prose", "text = { max_line = 9 }\n", (9, 0)),
        ("python", "", (2_000, 200)),
    ],
)
def test_lines_of_prose_have_no_limits_unless_the_dataset_sets_them(
    tmp_path, language, limits, found
):
    text = GOOD.replace('"python"', f'"{language}"').replace("[corpus]\n", f"[corpus]\n{limits}")
    (tmp_path / "mine.toml").write_text(text)
    rules = load_dataset("mine", [tmp_path]).corpus.text
    assert (rules.max_line, rules.max_mean_line) == found
