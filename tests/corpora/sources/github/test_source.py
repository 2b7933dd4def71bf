import json
import logging
import time

import pytest
from pydantic import ValidationError

from corpora.build.corpus import build_corpus
from corpora.corpus.card import write_card
from corpora.corpus.ledger import rows_of
from corpora.corpus.summary import CorpusSummary
from corpora.errors import SourceError
from corpora.sources.git.process import git_output
from corpora.sources.github import api
from corpora.sources.github.api import clone_variables
from corpora.sources.github.source import GithubAccountSource
from corpora.spec import DatasetSpec
from tests.conftest import commit, run_git
from tests.corpora.sources.github.api import ACCOUNT, Fake, Handler, row
from tests.corpora.sources.url.web import serving

TOKEN = "ghp_0123456789abcdef"


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    for name in (
        "CHARMILL_GITHUB_TOKEN",
        "GITHUB_TOKEN",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake(monkeypatch):
    fake = Fake([])
    with serving(type("Bound", (Handler,), {"fake": fake})) as url:
        monkeypatch.setenv("CHARMILL_GITHUB_API", url)
        yield fake


@pytest.fixture
def add(fake, make_repository):
    def add(name, files=None, **changes):
        root = make_repository(files or {f"{name}.py": name}, name)
        fake.repositories.append(row(root, **changes))
        return root

    return add


def source_of(**keys):
    return GithubAccountSource.model_validate(
        {"kind": "github_account", "account": ACCOUNT, **keys}
    )


def fetched(source, directory):
    directory.mkdir(exist_ok=True)
    list(source.fetch(source.resolve(), directory))
    return source.open(directory)


def fates(directory):
    rows = json.loads((directory / "repositories.json").read_text())
    return {r["full_name"].removeprefix(f"{ACCOUNT}/"): (r["fate"], r["detail"]) for r in rows}


def test_every_page_is_read_and_every_repository_fetched_at_its_commit(add, fake, tmp_path):
    roots = {name: add(name) for name in ("d", "b", "e", "a", "c")}
    heads = {f"{ACCOUNT}/{n}": run_git(r, "rev-parse", "HEAD").strip() for n, r in roots.items()}
    source = source_of()
    resolution = source.resolve()
    assert resolution == heads
    assert fake.paths() == [f"/users/{ACCOUNT}", *[f"/users/{ACCOUNT}/repos"] * 3]
    commit(roots["a"], {"a.py": "later"})
    (tmp_path / "out").mkdir()
    list(source.fetch(resolution, tmp_path / "out"))
    snapshot = source.open(tmp_path / "out")
    entries = list(snapshot.entries())
    assert [(e.source, e.path, e.license) for e in entries] == [
        (name, f"{name}.py", "MIT") for name in "abcde"
    ]
    assert [content for _, content in snapshot.read(entries)] == [b"a", b"b", b"c", b"d", b"e"]


def test_every_repository_has_its_outcome_with_the_reason(add, fake, make_repository, tmp_path):
    add("kept")
    add("fork", fork=True)
    add("old", archived=True)
    add("gone", disabled=True)
    add("copyleft", license={"key": "gpl-3.0", "spdx_id": "GPL-3.0"})
    add("none", license=None)
    add("other", license={"key": "other", "spdx_id": "NOASSERTION"})
    add("topic", topics=["python", "no-ml"])
    add("large", size=2_000_000)
    add("left-out")
    add("noai", {"a.py": "1", ".noai": ""})
    add("aitxt", {"a.py": "1", "ai.txt": "User-Agent: *\nDisallow: /\n"})
    add("ai-allowed", {"a.py": "1", "ai.txt": "User-Agent: *\nDisallow:\nAllow: /\n"})
    empty = tmp_path / "empty"
    empty.mkdir()
    run_git(empty, "init", "--quiet")
    fake.repositories.append(row(empty, size=0))
    snapshot = fetched(source_of(exclude=["LEFT-*"]), tmp_path / "out")
    assert fates(tmp_path / "out") == {
        "kept": ("kept", ""),
        "fork": ("fork", ""),
        "old": ("archived", ""),
        "gone": ("disabled", "by GitHub"),
        "copyleft": ("licence", "GPL-3.0"),
        "none": ("licence", "unknown"),
        "other": ("licence", "unknown"),
        "topic": ("opted out", "topic no-ml"),
        "large": ("too large", "2,048,000,000 bytes"),
        "left-out": ("excluded", ""),
        "noai": ("opted out", "file .noai"),
        "aitxt": ("opted out", "file ai.txt"),
        "ai-allowed": ("kept", ""),
        "empty": ("empty", ""),
    }
    assert {entry.source for entry in snapshot.entries()} == {"kept", "ai-allowed"}
    clones = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert clones == ["ai-allowed.git", "kept.git"]


def test_gates_can_be_opened(add, tmp_path):
    add("fork", fork=True)
    add("old", archived=True)
    add("gpl", license={"key": "gpl-3.0", "spdx_id": "GPL-3.0"})
    add("none", license=None)
    source = source_of(forks=True, archived=True, licenses=["MIT", "GPL-*", "unknown"])
    snapshot = fetched(source, tmp_path / "out")
    assert {e.source: e.license for e in snapshot.entries()} == {
        "fork": "MIT",
        "gpl": "GPL-3.0",
        "none": None,
        "old": "MIT",
    }


def test_names_that_begin_with_a_dot_are_kept(add, tmp_path):
    add(".github")
    snapshot = fetched(source_of(), tmp_path / "out")
    assert [(e.source, e.path) for e in snapshot.entries()] == [("_.github", ".github.py")]


def test_an_organisation_is_listed_as_one(add, fake):
    fake.kind = "Organization"
    add("a")
    assert list(source_of().resolve()) == [f"{ACCOUNT}/a"]
    assert fake.paths()[-1] == f"/orgs/{ACCOUNT}/repos"


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ("API rate limit exceeded for 1.2.3.4.", {"X-RateLimit-Reset": str(int(time.time()) - 5)}),
        ("You have exceeded a secondary rate limit.", {"Retry-After": "0"}),
    ],
)
def test_a_short_rate_limit_is_waited_for(add, fake, message, headers):
    add("a")
    fake.faults = [(403, {"message": message}, headers)]
    assert list(source_of().resolve()) == [f"{ACCOUNT}/a"]


def test_a_long_rate_limit_says_until_when(fake):
    reset = int(time.time()) + 3600
    fake.faults = [
        (403, {"message": "API rate limit exceeded for me."}, {"X-RateLimit-Reset": str(reset)})
    ]
    until = time.strftime("%Y-%m-%d %H:", time.localtime(reset))
    with pytest.raises(SourceError, match=rf"used up until {until}\d\d .*CHARMILL_GITHUB_TOKEN"):
        source_of().resolve()


def test_an_account_that_is_not_there_is_one_clear_line(fake):
    with pytest.raises(SourceError, match=r"^http.*: has no user or organisation 'nosuch'$"):
        source_of(account="nosuch").resolve()


def test_an_account_of_which_nothing_is_kept_says_why(add, fake):
    with pytest.raises(SourceError, match="has no visible repository"):
        source_of().resolve()
    for name in ("a", "b"):
        add(name, fork=True)
    add("c", archived=True)
    with pytest.raises(SourceError, match="none of its 3 repositories is kept: 2 fork, 1 archived"):
        source_of().resolve()


def test_a_server_that_is_not_there_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("CHARMILL_GITHUB_API", "http://127.0.0.1:1")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(SourceError, match=r"^http://127.0.0.1:1: does not answer \(Connection"):
        source_of().resolve()


def test_private_repositories_need_a_token_that_sees_them(add, fake, monkeypatch, tmp_path):
    add("open")
    add("closed", private=True)
    assert list(source_of(private=True).resolve()) == [f"{ACCOUNT}/open"]
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    fake.viewer = ACCOUNT.upper()
    assert len(source_of(private=True).resolve()) == 2
    assert list(source_of().resolve()) == [f"{ACCOUNT}/open"]
    fake.kind = "Organization"
    assert len(source_of(private=True).resolve()) == 2


def test_the_token_goes_to_the_interface_and_nowhere_else(add, fake, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("CHARMILL_GITHUB_TOKEN", TOKEN)
    caplog.set_level(logging.DEBUG)
    add("a")
    fetched(source_of(), tmp_path / "out")
    assert {token for _, token in fake.requests} == {f"token {TOKEN}"}
    fake.faults = [(401, {"message": "Bad credentials"}, {})]
    with pytest.raises(SourceError, match="rejects the token in CHARMILL_GITHUB_TOKEN") as caught:
        source_of().resolve()
    assert caught.value.__cause__ is None
    assert TOKEN not in caplog.text
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


def test_something_else_than_a_token_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv("CHARMILL_GITHUB_TOKEN", "my secret\n")
    with pytest.raises(SourceError, match="CHARMILL_GITHUB_TOKEN: is not a GitHub token") as caught:
        source_of().resolve()
    assert "secret" not in str(caught.value)


def test_git_is_given_the_token_for_private_repositories_of_that_host_only(monkeypatch, tmp_path):
    monkeypatch.setenv("CHARMILL_GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Kept")
    assert clone_variables(False, "https://github.com/a/b.git") == {}
    assert clone_variables(True, "http://github.com/a/b.git") == {}
    variables = clone_variables(True, "https://github.com/a/b.git")

    def asked(*arguments):
        return git_output(["config", *arguments], variables=variables, about="").decode().strip()

    header = asked("--get-urlmatch", "http.extraHeader", "https://github.com/a/b.git")
    assert header.startswith("Authorization: Basic ")
    assert asked("user.name") == "Kept"
    with pytest.raises(SourceError):
        asked("--get-urlmatch", "http.extraHeader", "https://elsewhere.org/a/b.git")


def test_a_killed_fetch_goes_on_without_asking_again(add, fake, tmp_path):
    add("a")
    add("b")
    source = source_of()
    resolution = source.resolve()
    fetch = source.fetch(resolution, tmp_path)
    while next(fetch).unit != "repositories":
        pass
    del fetch
    assert (tmp_path / "a.git").is_dir()
    assert not (tmp_path / "b.git").exists()
    fake.requests.clear()
    list(source.fetch(resolution, tmp_path))
    assert fake.requests == []
    assert [entry.source for entry in source.open(tmp_path).entries()] == ["a", "b"]


def test_a_repository_that_is_closed_between_look_and_fetch_is_one_clear_line(add, fake, tmp_path):
    add("a")
    source = source_of()
    resolution = source.resolve()
    fake.repositories[0]["archived"] = True
    with pytest.raises(SourceError, match=r"some-one/a: was renamed, .* run again"):
        list(source.fetch(resolution, tmp_path))


def test_an_account_that_nobody_named_is_asked_for():
    source = GithubAccountSource(kind="github_account")
    with pytest.raises(SourceError, match=r"--set source\.account=NAME"):
        source.resolve()


@pytest.mark.parametrize("account", ["-x", "a/b", "a b", "x" * 101])
def test_what_is_no_account_name_is_refused(account):
    with pytest.raises(ValidationError, match="account"):
        source_of(account=account)


def test_a_dead_repository_is_recorded_and_stops_nothing(add, fake, tmp_path):
    roots = {name: add(name) for name in ("alive", "dead", "lively")}
    roots["dead"].rename(tmp_path / "elsewhere")
    snapshot = fetched(source_of(), tmp_path / "out")
    fate, words = fates(tmp_path / "out")["dead"]
    assert fate == "unreachable"
    assert "dead" in words
    entries = {entry.source: entry for entry in snapshot.entries()}
    assert entries["dead"].problem == f"unreachable: {words}"
    assert {name: e.problem for name, e in entries.items() if name != "dead"} == {
        "alive": None,
        "lively": None,
    }


def test_the_words_of_a_dead_repository_are_in_the_ledger_and_the_card(add, fake, tmp_path):
    roots = {name: add(name) for name in ("a", "b", "c", "dead")}
    roots["dead"].rename(tmp_path / "elsewhere")
    snapshot, made = fetched(source_of(), tmp_path / "out"), tmp_path / "corpus"
    made.mkdir()
    spec = DatasetSpec.model_validate(
        {
            "title": "All",
            "language": "python",
            "source": {"kind": "github_account", "account": ACCOUNT},
            "corpus": {"extensions": [".py"]},
        }
    )
    list(build_corpus(snapshot, spec.corpus, made))
    write_card(made, "all", spec, CorpusSummary.load(made))
    (row,) = rows_of(made, "dead/.")
    assert row["reason"] == "unreachable"
    assert row["detail"] == fates(tmp_path / "out")["dead"][1]
    assert "Not reachable, so not in this corpus:\n- dead: " in (made / "README.md").read_text()


def test_a_repository_that_dies_before_it_is_fetched_stops_nothing(add, fake, tmp_path):
    roots = {name: add(name) for name in ("alive", "dead")}
    source = source_of()
    resolution = source.resolve()
    roots["dead"].rename(tmp_path / "elsewhere")
    (tmp_path / "out").mkdir()
    list(source.fetch(resolution, tmp_path / "out"))
    assert {n: fate for n, (fate, _) in fates(tmp_path / "out").items()} == {
        "alive": "kept",
        "dead": "unreachable",
    }


def test_an_account_without_any_repository_alive_is_one_line_with_gits_words(add, fake, tmp_path):
    for name in ("a", "b"):
        add(name).rename(tmp_path / f"elsewhere-{name}")
    with pytest.raises(SourceError, match=r"none of its 2 repositories is kept: 2 unreachable; "):
        source_of().resolve()


def test_a_network_that_fails_in_the_middle_is_not_taken_for_dead_repositories(add, fake, tmp_path):
    roots = [add(name) for name in ("a", "b", "c")]
    source = source_of()
    resolution = source.resolve()
    (tmp_path / "out").mkdir()
    steps = source.fetch(resolution, tmp_path / "out")
    while next(steps).unit != "repositories":
        pass
    for root in roots:
        root.rename(tmp_path / f"away-{root.name}")
    with pytest.raises(SourceError, match="b"):
        list(steps)
    for root in roots:
        (tmp_path / f"away-{root.name}").rename(root)
    list(source.fetch(resolution, tmp_path / "out"))
    assert {fate for fate, _ in fates(tmp_path / "out").values()} == {"kept"}


def test_a_bug_of_ours_is_no_unreadable_answer(add, monkeypatch):
    add("one")
    monkeypatch.setattr(api, "ListedRepository", int)
    with pytest.raises(TypeError, match="keyword argument"):
        api.list_repositories(ACCOUNT, private=False)


def test_a_repository_without_a_name_is_an_unreadable_answer(add, fake):
    add("one", full_name=None)
    with pytest.raises(SourceError, match="unreadable answer"):
        source_of().resolve()
