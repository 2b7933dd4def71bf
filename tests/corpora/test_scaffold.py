import pytest
from pathspec import GitIgnoreSpec

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
        ("https://github.com/a/b", ["c d"], None, "'.c d' is not an extension such as"),
        ("https://github.com/a/b", [" , "], None, "--ext names no extension"),
        (" ", [".c"], "x", "no URL and no path"),
        ("ext::sh -c true", [".c"], "x", "is not https://"),
        ("https://[::1/a", [".c"], "x", "neither a path nor an address: Invalid IPv6 URL"),
        ("nowhere", [".c"], "x", "is not https://"),
        ("me/x", [".c"], "x", "'me/x' is not https://.* nor a file or folder here"),
        ("https://github.com/orgs/me/repositories", [".c"], "x", "me is an account, not a repos"),
        ("/no/where", [".c"], "x", "/no/where: no such file or folder"),
        ("~/no/where", [".c"], "x", "~/no/where: no such file or folder"),
    ],
)
def test_what_would_not_load_is_refused_and_leaves_no_file(
    tmp_path, location, extensions, name, message
):
    with pytest.raises(SpecError, match=message):
        add_dataset(location, extensions, tmp_path, name)
    assert list(tmp_path.glob("*.toml")) == []


@pytest.mark.parametrize(
    ("pasted", "url", "ref", "include"),
    [
        ("github.com/me/x", "https://github.com/me/x", "HEAD", ()),
        ("www.github.com/me/x/", "https://github.com/me/x", "HEAD", ()),
        ("http://github.com/me/x.git", "https://github.com/me/x.git", "HEAD", ()),
        ("https://github.com/me/x?tab=readme-ov-file#top", "https://github.com/me/x", "HEAD", ()),
        ("https://github.com/me/x/tree/main", "https://github.com/me/x", "main", ()),
        ("github.com/me/x/tree/v1.0/src/a%20b/", "https://github.com/me/x", "v1.0", ("/src/a b",)),
        ("https://github.com/me/x/blob/main/a.py", "https://github.com/me/x", "main", ("/a.py",)),
        ("https://gitlab.com/a/b/x/-/tree/main/src", "https://gitlab.com/a/b/x", "main", ("/src",)),
        ("codeberg.org/me/x/src/branch/main/d", "https://codeberg.org/me/x", "main", ("/d",)),
        ("GitHub.com/me/x", "https://github.com/me/x", "HEAD", ()),
        (" https://github.com/me/x\n", "https://github.com/me/x", "HEAD", ()),
        ("https://github.com/me/x/pull/12/files", "https://github.com/me/x", "HEAD", ()),
        ("https://github.com/me/x/releases/tag/v1", "https://github.com/me/x", "v1", ()),
        (
            "https://github.com/me/x/archive/refs/tags/v1.tar.gz",
            "https://github.com/me/x",
            "v1",
            (),
        ),
        (
            "https://github.com/me/x/blame/main/a.py#L7",
            "https://github.com/me/x",
            "main",
            ("/a.py",),
        ),
        (
            "https://github.com/me/x/tree/main/app/[id]",
            "https://github.com/me/x",
            "main",
            ("/app/\\[id\\]",),
        ),
        (
            "https://raw.githubusercontent.com/me/x/refs/heads/main/a.py",
            "https://github.com/me/x",
            "main",
            ("/a.py",),
        ),
        (
            "https://gist.github.com/me/0123456789abcdef0123#file-a-py",
            "https://gist.github.com/me/0123456789abcdef0123",
            "HEAD",
            (),
        ),
        ("https://gitlab.com/a/x/-/merge_requests/1", "https://gitlab.com/a/x", "HEAD", ()),
        ("https://gitlab.com/a/x/-/archive/v1/x-v1.zip", "https://gitlab.com/a/x", "v1", ()),
        ("https://gitlab.com/a/x/tree/main/src", "https://gitlab.com/a/x", "main", ("/src",)),
        (
            "http://git.example.org:8080/a/b/-/blob/main/c.py?ref_type=heads",
            "http://git.example.org:8080/a/b",
            "main",
            ("/c.py",),
        ),
        ("https://try.gitea.io/me/x/src/tag/v1", "https://try.gitea.io/me/x", "v1", ()),
        ("https://bitbucket.org/me/x/src/main/d", "https://bitbucket.org/me/x", "main", ("/d",)),
        ("https://git.sr.ht/~me/x/tree/main/item/d", "https://git.sr.ht/~me/x", "main", ("/d",)),
        ("git+https://github.com/me/x.git@v1#egg=x", "https://github.com/me/x.git", "v1", ()),
        ("git+ssh://git@github.com/me/x.git", "ssh://git@github.com/me/x.git", "HEAD", ()),
        ("https://git.example.org/me/x/tree/a", "https://git.example.org/me/x/tree/a", "HEAD", ()),
        ("git@github.com:me/x.git", "git@github.com:me/x.git", "HEAD", ()),
    ],
)
def test_what_people_paste_is_taken(tmp_path, pasted, url, ref, include):
    spec = load_dataset(add_dataset(pasted, ["py"], tmp_path, "mine").stem, [tmp_path])
    (repository,) = spec.source.model_dump(mode="json")["repositories"]
    assert (repository["url"], repository["ref"]) == (url, ref)
    assert spec.corpus.include == include


@pytest.mark.parametrize("given", [["py", "pyi"], [".py", "*.pyi"], ["py, .pyi,py"]])
def test_extensions_are_taken_with_and_without_their_dot(tmp_path, given):
    add_dataset("https://github.com/a/b", given, tmp_path)
    assert load_dataset("b", [tmp_path]).corpus.extensions == (".py", ".pyi")


def test_a_folder_is_copied_without_models_histories_and_environments(tmp_path):
    folder = tmp_path / "mine"
    kept = ("a.py", "sub/b.py", "LICENSE")
    for name in (*kept, "model.bin", ".git/hook.py", "v/lib/site-packages/c.py", ".venv/d.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    source = load_dataset(add_dataset(str(folder), ["py"], tmp_path).stem, [tmp_path]).source
    list(source.fetch(source.resolve(), tmp_path))
    assert {entry.path for entry in source.open(tmp_path).entries()} == set(kept)


def test_a_single_file_is_a_dataset(tmp_path):
    book = tmp_path / "My book.txt"
    book.write_text("Call me Ishmael.")
    spec = load_dataset(add_dataset(str(book), ["txt"], tmp_path, "book").stem, [tmp_path])
    (tmp_path / "out").mkdir()
    list(spec.source.fetch(spec.source.resolve(), tmp_path / "out"))
    (entry,) = spec.source.open(tmp_path / "out").entries()
    assert (entry.path, entry.size) == ("My_book.txt", 16)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/cache/pg1342.txt",
        "https://example.org/texts.tar.gz",
        "https://github.com/me/x/releases/download/v1/texts.zip",
    ],
)
def test_the_url_of_a_text_or_an_archive_is_a_download(tmp_path, url):
    source = load_dataset(add_dataset(url, ["txt"], tmp_path, "mine").stem, [tmp_path]).source
    assert [one["url"] for one in source.model_dump(mode="json")["urls"]] == [url]


def test_a_file_url_is_read_as_its_path_unless_it_is_a_repository(tmp_path, make_repository):
    (tmp_path / "my texts").mkdir()
    root = make_repository({"a.c": "int a;"})
    for url, kind in (((tmp_path / "my texts").as_uri(), "folder"), (root.as_uri(), "git")):
        path = add_dataset(url, ["c"], tmp_path / "sets", kind)
        assert load_dataset(path.stem, [tmp_path / "sets"]).source.kind == kind


def test_a_folder_with_the_signs_of_a_pattern_in_its_name_is_included_itself(tmp_path):
    add_dataset("https://github.com/me/x/tree/main/a[b]/*c", ["py"], tmp_path, "mine")
    matches = GitIgnoreSpec.from_lines(load_dataset("mine", [tmp_path]).corpus.include).match_file
    assert matches("a[b]/*c/d.py")
    assert not matches("ab/dc/d.py")
