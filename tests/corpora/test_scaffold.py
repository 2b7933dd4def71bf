import pytest

from corpora.errors import SpecError
from corpora.scaffold import add_dataset
from corpora.spec import load_dataset
from tests.conftest import run_git


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


def test_a_worktree_and_a_bare_repository_are_repositories_a_text_called_head_is_not(
    tmp_path, make_repository
):
    root = make_repository({"a.c": "int a;"})
    run_git(root, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    run_git(tmp_path, "clone", "--quiet", "--bare", str(root), str(tmp_path / "bare"))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/HEAD").write_text("Heads, tails and other texts")
    for name, kind in (("tree", "git"), ("bare", "git"), ("plain", "folder")):
        add_dataset(str(tmp_path / name), [".c"], tmp_path / "sets")
        assert load_dataset(name, [tmp_path / "sets"]).source.kind == kind


@pytest.mark.parametrize(
    ("location", "extensions", "name", "message"),
    [
        ("https://github.com/a/torch", [".lua"], None, "the name 'torch' is taken by"),
        ("https://github.com/a/b", [".c"], "Not A Name", "is not a dataset name"),
        ("https://github.com/a/b", ["c"], None, "'c' is not an extension such as"),
        ("ext::sh -c true", [".c"], "x", "is not https://"),
        ("nowhere", [".c"], "x", "is not https://"),
        ("/no/where", [".c"], "x", "/no/where: no such folder"),
        ("~/no/where", [".c"], "x", "~/no/where: no such folder"),
    ],
)
def test_what_would_not_load_is_refused_and_leaves_no_file(
    tmp_path, location, extensions, name, message
):
    with pytest.raises(SpecError, match=message):
        add_dataset(location, extensions, tmp_path, name)
    assert list(tmp_path.glob("*.toml")) == []
