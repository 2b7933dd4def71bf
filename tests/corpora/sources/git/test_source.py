import pytest
from pydantic import ValidationError

from corpora.errors import SourceError
from tests.conftest import commit, run_git
from tests.corpora.sources.git.trials import fetched, source_of


def test_files_are_read_at_the_resolved_commit_without_a_work_tree(make_repository, tmp_path):
    root = make_repository({"b.py": "b = 1\n", "a/x y.py": "x\n", "empty.py": ""})
    source = source_of(root)
    resolution = source.resolve()
    commit(root, {"b.py": "b = 2\n"})
    (tmp_path / "out").mkdir()
    list(source.fetch(resolution, tmp_path / "out"))
    snapshot = source.open(tmp_path / "out")
    read = {entry.path: content for entry, content in snapshot.read(snapshot.entries())}
    assert read == {"a/x y.py": b"x\n", "b.py": b"b = 1\n", "empty.py": b""}
    assert not list((tmp_path / "out").rglob("b.py"))


def test_the_clone_is_shallow(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    commit(root, {"a.py": "2"})
    fetched(source_of(root), tmp_path / "out")
    assert run_git(tmp_path / "out/thing.git", "rev-list", "--count", "HEAD").strip() == "1"


def test_links_and_submodules_are_listed_with_the_problem(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    (root / "link.py").symlink_to("/etc/passwd")
    head = commit(root, {})
    run_git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    run_git(root, "commit", "--quiet", "--message", "a submodule")
    _, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert {e.path: e.problem for e in entries} == {
        "a.py": None,
        "link.py": "symbolic link",
        "sub": "submodule",
    }


def test_branches_and_tags_are_found_and_annotated_tags_peeled(make_repository):
    root = make_repository({"a.py": "1"})
    first = run_git(root, "rev-parse", "HEAD").strip()
    run_git(root, "tag", "--annotate", "v1", "--message", "one")
    commit(root, {"a.py": "2"})
    run_git(root, "branch", "side/v1")
    assert source_of(root, ref="v1").resolve() == {"thing": first}
    assert source_of(root, ref="side/v1").resolve() != {"thing": first}


@pytest.mark.parametrize("ref", ["v1", "refs/tags/v1", "tags/v1"])
def test_an_annotated_tag_is_fetched_by_any_of_its_names(make_repository, tmp_path, ref):
    root = make_repository({"a.py": "1"})
    run_git(root, "tag", "--annotate", "v1", "--message", "one")
    commit(root, {"a.py": "2"})
    snapshot, entries, _ = fetched(source_of(root, ref=ref), tmp_path / "out")
    assert [content for _, content in snapshot.read(entries)] == [b"1"]


@pytest.mark.parametrize(
    "ref", ["pkg@1.0.0", "fix#12", "\u00fcn\u00ef", "@scope/pkg", "a(b)!", "a%b"]
)
def test_names_that_git_takes_are_taken(make_repository, tmp_path, ref):
    root = make_repository({"a.py": "1"})
    run_git(root, "branch", f"b/{ref}")
    run_git(root, "tag", ref)
    commit(root, {"a.py": "2"})
    for number, name in enumerate((ref, f"b/{ref}", f"refs/heads/b/{ref}")):
        snapshot, entries, _ = fetched(source_of(root, ref=name), tmp_path / f"{number}")
        assert [content for _, content in snapshot.read(entries)] == [b"1"]


def test_two_repositories_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="two repositories are called 'x'"):
        source_of("https://a.org/x", "https://b.org/x.git")


def test_the_users_mirrors_are_honoured(make_repository, plain_git, tmp_path):
    root = make_repository({"a.py": "1"})
    with plain_git.open("a") as file:
        file.write(f'[url "file://{root}"]\n insteadOf = https://github.com/a/thing\n')
    source = source_of("https://github.com/a/thing")
    _, entries, _ = fetched(source, tmp_path / "out")
    assert [entry.path for entry in entries] == ["a.py"]


def test_two_names_that_some_disks_take_for_one_are_refused():
    with pytest.raises(ValidationError, match="two repositories are called 'x'"):
        source_of("https://a.org/X", "https://b.org/x")


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://a.org/b/c.git/", "c"),
        ("git@a.org:c.git", "c"),
        ("/home/me/c/.git", "c"),
        ("https://a.org/b/c d".replace(" ", "+"), "c_d"),
    ],
)
def test_a_repository_is_known_by_the_last_part_of_its_url(url, label):
    assert source_of(url).repositories[0].label == label


@pytest.mark.parametrize("url", ["/", "https://a.org/" + "x" * 101])
def test_a_url_that_gives_no_name_for_a_folder_asks_for_one(url):
    with pytest.raises(ValidationError, match="give it a `name` of 1 to 100 characters"):
        source_of(url)
    assert source_of(url, name="x").repositories[0].label == "x"


def test_repositories_are_read_in_whatever_order_files_are_asked_for(make_repository, tmp_path):
    urls = [make_repository({"1.py": f"{name}1", "2.py": f"{name}2"}, name) for name in "ab"]
    snapshot, entries, _ = fetched(source_of(*urls), tmp_path / "out")
    mixed = [entries[place] for place in (3, 0, 2, 1)]
    assert [(e, c) for e, c in snapshot.read(mixed)] == list(
        zip(mixed, [b"b2", b"a1", b"b1", b"a2"], strict=True)
    )


def test_repositories_that_name_their_objects_by_sha256_are_read(tmp_path):
    root = tmp_path / "thing"
    root.mkdir()
    run_git(root, "init", "--quiet", "--object-format=sha256")
    commit(root, {"a.py": "1"})
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert [content for _, content in snapshot.read(entries)] == [b"1"]
    assert len(entries[0].handle) == 64


def test_a_local_path_is_taken_as_it_is_written(make_repository, tmp_path):
    make_repository({"wrong.py": "1"}, "aAb")
    root = make_repository({"right.py": "1"}, "a%41b")
    _, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert [entry.path for entry in entries] == ["right.py"]


def test_another_commit_under_the_same_name_is_not_taken_for_this_one(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    source = source_of(root)
    fetched(source, tmp_path / "out")
    later = commit(root, {"a.py": "2"})
    with pytest.raises(
        SourceError, match=r"thing\.git: holds commit \w{40}, not \w{40} of .*delete"
    ):
        list(source.fetch({"thing": later}, tmp_path / "out"))


def test_a_repository_that_stands_there_is_not_fetched_again(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    source = source_of(root)
    resolution = source.resolve()
    fetched(source, tmp_path / "out")
    root.rename(tmp_path / "elsewhere")
    assert list(source.fetch(resolution, tmp_path / "out")) == []
