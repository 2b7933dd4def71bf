"""Sharing finished runs between machines through a folder: completely, or not at all."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from corpora.errors import SourceError
from flows.errors import RemoteError
from flows.options import Options, StageName, prepare
from flows.planning.exchange import exchange, send_finished, shares
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import CORPUS, FETCH
from flows.store import remote as remote_module
from flows.store.integrity import list_faults
from flows.store.remote import Remote
from flows.store.runs import StageRun, Store
from flows.store.stage import execute
from system.settings import Settings

OPTIONS = Options()


class Machine:
    """One of several machines that share a store and have their own artifacts."""

    def __init__(self, tiny, root: Path, url: str) -> None:
        self.settings = Settings(
            artifacts=root, datasets=tiny.settings.datasets, device="cpu", remote=url
        )
        self.store = Store(root)

    @property
    def run(self):
        return prepare("tiny", OPTIONS, self.settings.dataset_folders)

    def exchange(self, options=OPTIONS) -> None:
        exchange(self.run, options, self.settings)

    def actions(self) -> list[str]:
        return [d.action for d in make_plan(self.run, OPTIONS, self.store).decisions[:2]]

    def make(self, *, send: bool = True, force: bool = False) -> dict[str, str]:
        """Fetch and build the corpus; returns the keys."""
        keys: dict = {}
        for stage in (FETCH, CORPUS):
            made = execute(
                stage,
                self.run,
                stage.choose(keys),
                settings=self.settings,
                reporter=LogReporter(),
                force=force,
            )
            keys[stage.name] = made.key
            if send:
                send_finished(self.finished(stage.name, made.key), self.run, self.settings)
        return keys

    def finished(self, stage: StageName, key: str) -> StageRun:
        return self.store.runs(stage, "tiny").run(key)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(remote_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(remote_module, "MAX_PAUSE_SECONDS", 0.002)


@pytest.fixture
def store(tmp_path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def machines(tiny, tmp_path, store) -> tuple[Machine, Machine]:
    url = f"file://{store}"
    return Machine(tiny, tmp_path / "one", url), Machine(tiny, tmp_path / "two", url)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_one_machine_finished_is_reused_by_another(machines):
    one, two = machines
    keys = one.make()
    assert two.actions() == ["run", "run"]
    two.exchange()
    assert two.actions() == ["reuse", "reuse"]
    for stage, key in keys.items():
        folders = [m.store.runs(stage, "tiny").run(key).folder for m in machines]
        assert content(folders[0]) == content(folders[1])
        assert two.store.runs(stage, "tiny").latest is None
        assert list(two.store.runs(stage, "tiny").folder.glob(".*")) == []


def test_what_was_finished_while_the_store_was_away_is_sent_by_the_next_run(machines, store):
    one, two = machines
    away = store.with_name("away")
    store.rename(away)
    store.write_text("no folder")
    one.make()
    store.unlink()
    away.rename(store)
    assert content(store) == {}
    one.exchange()
    two.exchange()
    assert two.actions() == ["reuse", "reuse"]


def test_a_store_that_takes_nothing_costs_a_warning_and_no_work(machines, store, caplog):
    store.rmdir()
    store.write_text("no folder")
    keys = machines[0].make()
    assert machines[0].store.runs("corpus", "tiny").run(keys["corpus"]).is_finished
    assert "corpus of tiny is not in the remote store" in caplog.text


def test_the_files_without_their_record_are_not_taken_for_a_run(machines, store):
    one, two = machines
    keys = one.make()
    (store / "corpus" / "tiny" / f"{keys['corpus']}.json").unlink()
    two.exchange()
    assert two.actions() == ["reuse", "run"]


def test_a_copy_that_breaks_leaves_no_record_and_no_files(machines, store, monkeypatch):
    one, _ = machines
    keys = one.make(send=False)
    remote, put, left = Remote.at(f"file://{store}"), [], 2
    whole = remote.files.put_file

    def broken(source, target):
        if len(put) == left:
            raise ConnectionResetError("gone")
        put.append(target)
        whole(source, target)

    monkeypatch.setattr(remote.files, "put_file", broken)
    with pytest.raises(RemoteError, match="ConnectionResetError: gone"):
        remote.send(one.finished("corpus", keys["corpus"]))
    assert len(put) == left
    assert content(store) == {}


def test_a_store_that_fails_for_a_moment_is_asked_again(machines, store, monkeypatch):
    keys = machines[0].make()
    remote = Remote.at(f"file://{store}")
    asked, exists = [], remote.files.exists

    def shaky(path):
        asked.append(path)
        if len(asked) < remote_module.ATTEMPTS:
            raise TimeoutError("late")
        return exists(path)

    monkeypatch.setattr(remote.files, "exists", shaky)
    assert remote.has(machines[0].finished("corpus", keys["corpus"]))


def test_a_damaged_file_is_never_published_and_heals(machines, store, caplog):
    one, two = machines
    keys = one.make()
    (ledger,) = store.glob("corpus/tiny/*/ledger.parquet")
    ledger.write_bytes(ledger.read_bytes()[:-1] + b"?")
    two.exchange()
    assert "ledger.parquet does not match" in caplog.text
    assert two.actions() == ["reuse", "run"]
    assert list(two.store.runs("corpus", "tiny").folder.glob("*")) == []
    two.make()
    shutil.rmtree(one.store.root)
    one.exchange()
    assert one.actions() == ["reuse", "reuse"]
    assert one.store.runs("corpus", "tiny").run(keys["corpus"]).is_finished


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"{", "is not the record of a run"),
        (b'{"folder": "x"}', "is not the record of a run"),
        (b'{"folder": "../x", "files": {}}', "names a path outside its folder: ../x"),
        (
            b'{"folder": "x", "files": {"../../evil": "0"}}',
            "names a path outside its folder: ../../evil",
        ),
        (b'{"folder": "x", "files": {"/evil": "0"}}', "names a path outside its folder: /evil"),
        (b'{"folder": "x", "files": {}}', "No such file"),
    ],
)
def test_a_record_that_lies_leads_nowhere(machines, store, record, message, caplog):
    one, two = machines
    keys = one.make()
    (store / "corpus" / "tiny" / f"{keys['corpus']}.json").write_bytes(record)
    two.exchange()
    assert "the exchange with the remote store is incomplete" in caplog.text
    assert message in caplog.text
    assert two.actions() == ["reuse", "run"]


def test_a_run_under_the_name_of_another_is_refused(machines, store, caplog):
    one, two = machines
    keys = one.make()
    path = store / "corpus" / "tiny" / f"{keys['corpus']}.json"
    fetched = json.loads((store / "fetch" / "tiny" / f"{keys['fetch']}.json").read_text())
    (store / "corpus" / "tiny" / "moved").mkdir()
    shutil.copytree(
        store / "fetch" / "tiny" / fetched["folder"],
        store / "corpus" / "tiny" / "moved",
        dirs_exist_ok=True,
    )
    path.write_text(json.dumps(fetched | {"folder": "moved"}))
    two.exchange()
    assert "holds fetch of tiny" in caplog.text
    assert two.actions() == ["reuse", "run"]


def test_two_machines_that_send_the_same_at_once_do_not_mix(machines, store):
    one, two = machines
    keys = [one.make(send=False), two.make(send=False)]
    assert keys[0] == keys[1]
    senders = [
        threading.Thread(
            target=send_finished, args=(m.finished("corpus", keys[0]["corpus"]), m.run, m.settings)
        )
        for m in machines
        for _ in range(4)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    copy = Store(store.parent / "three").runs("corpus", "tiny").run(keys[0]["corpus"])
    assert Remote.at(f"file://{store}").fetch(copy)
    there = content(copy.folder)
    assert there in [
        content(m.store.runs("corpus", "tiny").run(keys[0]["corpus"]).folder) for m in machines
    ]


def test_the_newest_of_several_runs_with_a_digest_is_taken(machines, store):
    one, two = machines
    one.make()
    one.make(force=True)
    one.make(force=True)
    two.exchange()
    assert two.store.runs("fetch", "tiny").keys()[0].endswith("-3")


def test_unfinished_work_here_ends_with_what_was_finished_there(machines):
    one, two = machines
    keys = one.make()
    left = two.store.runs("corpus", "tiny").run(keys["corpus"]).work
    left.mkdir(parents=True)
    two.exchange()
    assert not left.exists()


def test_a_forced_run_asks_the_store_for_nothing(machines):
    one, two = machines
    one.make()
    two.exchange(Options(force=True))
    assert two.store.runs("fetch", "tiny").keys() == []


def test_a_source_that_does_not_answer_is_left_to_the_plan(machines, monkeypatch):
    one, _ = machines
    run = one.run

    def silent(_source):
        raise SourceError("no answer")

    monkeypatch.setattr(type(run.spec.source), "resolve", silent)
    exchange(run, OPTIONS, one.settings)
    with pytest.raises(SourceError):
        make_plan(run, OPTIONS, one.store)


def test_comments_stay_on_their_machine(machines, tmp_path):
    datasets = machines[0].settings.datasets
    source = '[source]\nkind = "youtube"\nquery = "x"\n[corpus]\nextensions = [".txt"]\n'
    toml = f'title = "T"\nlanguage = "prose"\n{source}'
    (datasets / "talk.toml").write_text(toml)
    run = prepare("talk", Options(), (datasets,))
    assert not shares(run, machines[0].settings)
    assert shares(machines[0].run, machines[0].settings)
    exchange(run, Options(), machines[0].settings)


def test_a_run_damaged_here_is_fetched_from_the_store(machines):
    first = machines[0]
    key = first.make()["corpus"]
    corpus = first.finished("corpus", key)
    (corpus.folder / "ledger.parquet").unlink()
    first.exchange()
    assert first.actions() == ["reuse", "reuse"]
    assert not list_faults(first.finished("corpus", key))
    assert corpus.folder.with_name(f".damaged-{key}").is_dir()


def test_a_damaged_run_is_never_sent(machines, store, caplog):
    first = machines[0]
    corpus = first.finished("corpus", first.make(send=False)["corpus"])
    ledger = corpus.folder / "ledger.parquet"
    ledger.write_bytes(ledger.read_bytes()[::-1])
    first.exchange()
    assert "ledger.parquet: its content has changed" in caplog.text
    assert not list((store / "corpus").rglob("*.json"))
