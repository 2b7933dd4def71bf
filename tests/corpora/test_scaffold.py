import pytest

from corpora.errors import SpecError
from corpora.scaffold import add_dataset
from corpora.spec import load_dataset


def test_a_repository_becomes_a_dataset_that_loads(tmp_path):
    path = add_dataset(
        "https://github.com/Me/My_Thing.git", [".py", ".pyi"], tmp_path, language="python"
    )
    assert path.name == "my-thing.toml"
    spec = load_dataset("my-thing", [tmp_path])
    assert spec.source.kind == "git"
    assert spec.language == "python"
    assert spec.corpus.extensions == (".py", ".pyi")


def test_a_folder_becomes_a_folder_dataset_and_a_checkout_a_git_one(tmp_path, make_repository):
    folder = tmp_path / "texts"
    folder.mkdir()
    add_dataset(str(folder), [".txt"], tmp_path / "sets")
    add_dataset(str(make_repository({"a.c": "int a;"})), [".c"], tmp_path / "sets", language="c")
    texts, thing = (load_dataset(name, [tmp_path / "sets"]) for name in ("texts", "thing"))
    assert (texts.source.kind, texts.language) == ("folder", "prose")
    assert (thing.source.kind, thing.language) == ("git", "c")


@pytest.mark.parametrize(
    ("location", "extensions", "name", "message"),
    [
        ("https://github.com/a/torch", [".lua"], None, "the name 'torch' is taken by"),
        ("https://github.com/a/b", [".c"], "Not A Name", "is no dataset's name"),
        ("https://github.com/a/b", ["c"], None, "'c' is not an extension such as"),
        ("ext::sh -c true", [".c"], "x", "is not https://"),
        ("nowhere", [".c"], "x", "is not https://"),
    ],
)
def test_what_would_not_load_is_refused_and_leaves_no_file(
    tmp_path, location, extensions, name, message
):
    with pytest.raises(SpecError, match=message):
        add_dataset(location, extensions, tmp_path, name)
    assert list(tmp_path.glob("*.toml")) == []
