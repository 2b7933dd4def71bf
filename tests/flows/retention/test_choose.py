import pytest

from flows.errors import OptionError
from flows.retention.limits import Limits
from flows.store.manifest import MANIFEST
from flows.store.protection import pin
from flows.store.runs import Store
from flows.store.stage import INPUTS, PARAMETERS
from tests.flows.retention.stores import NOW, begin, chain, chosen, names, publish, use


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def whys(choice):
    return {one.run.key: one.why for one in choice.kept}


def test_old_runs_go_and_the_newest_stay(store):
    for number in range(5):
        chain(store, f"{number}", days=200 - number, latest=True)
    choice = chosen(store, keep_last=2)
    assert names(choice.goes) == {f"{n}{stage}" for n in range(3) for stage in "fctse"}
    assert whys(choice)["4e"] == "latest"
    assert whys(choice)["3e"] == "one of the 2 newest"
    assert choice.goes[0].why == "unused for 200 days"
    assert choice.bytes == sum(one.bytes for one in choice.goes) > 15_000


def test_young_runs_stay_with_the_reason(store):
    for number, days in enumerate((40, 20, 10, 0)):
        chain(store, f"{number}", days=days, latest=True)
    choice = chosen(store, keep_last=1)
    assert names(choice.goes) == {f"0{stage}" for stage in "fctse"}
    assert whys(choice)["1e"] == "unused for 20 days; --older-than is 30d"


def test_a_run_that_was_reused_lately_is_not_old(store):
    for number in range(3):
        chain(store, f"{number}", days=90 - number, latest=True)
    use(store.runs("train", "tiny").run("0t"), days=2)
    choice = chosen(store, keep_last=1)
    assert {"0t", "0c", "0f"} <= names(choice.kept)
    assert whys(choice)["0f"].startswith("needed by train of tiny, 0t: unused for 2 days")
    assert {"0e", "0s"} <= names(choice.goes)


def test_what_was_used_within_a_day_stays_whatever_the_limits_are(store):
    chain(store, "0", days=0.5)
    chain(store, "1", days=0.2, latest=True)
    limits = {"keep_last": 1, "older_than": "0d", "max_size": "1kB"}
    choice = chosen(store, **limits)
    assert not choice.goes
    assert whys(choice)["0e"] == "used 12 h 0 min ago"


def test_a_clock_that_was_wrong_removes_nothing_made_in_the_future(store):
    for number, days in enumerate((-400, -500)):
        chain(store, f"{number}", days=days)
    chain(store, "2", days=200, latest=True)
    choice = chosen(store, keep_last=1, older_than="0d", max_size="1kB")
    assert not choice.goes
    assert whys(choice)["0e"] == "used in the future, so check the clock"


def test_latest_stays_even_if_it_is_the_oldest(store):
    chain(store, "0", days=300)
    for number in range(1, 4):
        chain(store, f"{number}", days=200 - number)
    for run in (store.runs(stage, "tiny").run(f"0{stage[0]}") for stage in ("train", "evaluate")):
        run.make_latest()
    choice = chosen(store, keep_last=1)
    assert names(choice.goes) == {f"{n}{stage}" for n in (1, 2) for stage in "fctse"}


def test_a_pinned_report_stays_with_everything_it_was_made_from(store):
    for number in range(4):
        chain(store, f"{number}", days=200 - number, latest=True)
    pin(store.runs("evaluate", "tiny").run("0e"))
    choice = chosen(store, keep_last=1)
    assert names(choice.goes) == {f"{n}{stage}" for n in (1, 2) for stage in "fctse"}
    assert whys(choice)["0f"] == "needed by evaluate of tiny, 0e: pinned"


def test_a_model_that_another_dataset_was_fine_tuned_from_stays(store):
    chain(store, "0", days=300, dataset="base")
    chain(store, "1", days=200, dataset="base", latest=True)
    parameters = {"init_from": "base@0t"}
    publish(store, "train", "fine", days=90, parameters=parameters, latest=True)
    choice = chosen(store, keep_last=1)
    assert names(choice.goes) == {"0s", "0e"}
    assert whys(choice)["0t"] == "needed by train of tiny, fine: latest"
    # A gc of one dataset alone must see the needs of all others.
    assert names(chosen(store, keep_last=1, datasets=["base"]).goes) == {"0s", "0e"}


def test_a_corpus_whose_split_is_kept_stays(store):
    publish(store, "corpus", "abcd0", days=300)
    publish(store, "corpus", "other", days=290)
    parameters = {"frozen": "abcd"}
    publish(store, "corpus", "new", days=90, parameters=parameters, latest=True)
    assert names(chosen(store, keep_last=1).goes) == {"other"}


def test_what_the_toml_of_a_dataset_names_stays(store, tmp_path):
    for number in range(3):
        chain(store, f"{number}", days=200 - number, latest=True)
    toml = tmp_path / "tiny.toml"
    toml.write_text('[corpus]\nfrozen = "0c"\n[train]\ninit_from = "tiny@1t"\n')
    choice = chosen(store, {"tiny": toml}, keep_last=1)
    assert names(choice.goes) == {"0t", "0s", "0e", "1s", "1e"}
    assert whys(choice)["0f"] == f"needed by corpus of tiny, 0c: needed by {toml}"
    toml.write_text("[corpus]\nfrozen = ")
    assert not chosen(store, {"tiny": toml}, keep_last=1).goes


def test_inputs_of_an_unfinished_run_stay_and_so_do_the_runs_its_parameters_name(store):
    for number in range(4):
        chain(store, f"{number}", days=200 - number, latest=True)
    begin(store, "train", "next", {"corpus": "0c"}, init_from="tiny@1t")
    choice = chosen(store, keep_last=1)
    assert {"0c", "0f", "1t", "1c", "1f"} <= names(choice.kept)
    assert whys(choice)["0c"] == "needed by .work-next, unfinished train of tiny"
    assert {"0t", "0s", "0e", "1s", "1e"} <= names(choice.goes)


def test_the_longest_unused_go_first_until_the_rest_fits(store):
    for number in range(6):
        chain(store, f"{number}", days=20 - number, latest=True, kilobytes=10)
    total = sum(one.bytes for one in chosen(store, keep_last=1).kept)
    choice = chosen(store, keep_last=1, max_size=f"{total // 2000}kB")
    left = total - choice.bytes
    assert total // 2 - 12_000 < left <= total // 2
    assert names(choice.goes) >= {f"{n}{stage}" for n in (0, 1) for stage in "fctse"}
    assert not names(choice.goes) & {"4f", "5f", "5e"}
    assert chosen(store, keep_last=1, max_size="1kB").kept[0].run.key == "5f"


def test_a_model_whose_manifest_is_missing_keeps_what_it_may_have_been_made_from(store):
    for number in range(4):
        chain(store, f"{number}", days=200 - number, latest=True)
        chain(store, f"{number}", days=200 - number, dataset="other", latest=True)
    assert {"0f", "0t", "1t"} <= names(chosen(store, keep_last=1).goes)
    (store.runs("train", "tiny").run("1t").folder / MANIFEST).unlink()
    choice = chosen(store, keep_last=1)
    goes = {(one.run.runs.dataset, one.run.runs.stage) for one in choice.goes}
    assert goes == {("other", "sample"), ("other", "evaluate")}
    assert whys(choice)["0f"].endswith("1t: has no manifest")


@pytest.mark.parametrize(
    ("note", "content"),
    [(INPUTS, b"\0" * 9), (PARAMETERS, b"\0" * 9), (INPUTS, b'{"train": ["2t"]}')],
)
def test_an_unfinished_run_whose_notes_are_damaged_may_need_anything(store, note, content):
    for number in range(3):
        chain(store, f"{number}", days=200 - number, latest=True)
    attempt = begin(store, "sample", "aa11", {"train": "2t"})
    assert "0t" in names(chosen(store, keep_last=1).goes)
    (attempt.work / note).write_bytes(content)
    assert not chosen(store, keep_last=1).goes


def test_a_run_in_a_folder_of_another_name_stays_with_what_it_was_made_from(store):
    for number in range(4):
        chain(store, f"{number}", days=200 - number, latest=True)
    moved = store.runs("train", "tiny").run("0t").folder
    moved.rename(moved.with_name("aa11"))
    choice = chosen(store, keep_last=1)
    assert names(choice.goes) & {"0f", "0c", "0t", "0s", "aa11"} == {"0s"}
    assert whys(choice)["0c"] == f"needed by {moved.with_name('aa11')}"


def test_a_dataset_with_a_damaged_manifest_is_left_alone(store):
    for number in range(4):
        chain(store, f"{number}", days=200 - number, latest=True)
        chain(store, f"{number}", days=200 - number, dataset="other", latest=True)
    (store.runs("corpus", "tiny").run("3c").folder / MANIFEST).write_text("{")
    choice = chosen(store, keep_last=1)
    assert {one.run.runs.dataset for one in choice.goes} == {"other"}
    assert "cannot be judged" in whys(chosen(store, keep_last=1, datasets=["tiny"]))["3c"]


def test_dependants_go_before_what_they_were_made_from(store):
    chain(store, "0", days=100, dataset="base")
    publish(store, "train", "fine", days=200, parameters={"init_from": "base@0t"})
    for dataset in ("base", "tiny"):
        chain(store, "1", days=90, dataset=dataset, latest=True)
    order = [one.run.key for one in chosen(store, keep_last=1).goes]
    assert sorted(order) == ["0c", "0e", "0f", "0s", "0t", "fine"]
    places = [order.index(key) for key in ("0e", "0s", "0t", "0c", "0f")]
    assert places == sorted(places)
    assert order.index("fine") < order.index("0t")


def test_a_corpus_frozen_by_a_prefix_of_its_own_key_can_go(store):
    publish(store, "corpus", "abcd1", parameters={"frozen": "abcd"})
    publish(store, "corpus", "other", days=90, latest=True)
    assert names(chosen(store, keep_last=1).goes) == {"abcd1"}


@pytest.mark.parametrize("text", ["30", "d", "-1d", "30 days", "1e3d", "٣d", "999999999d", ""])
def test_a_malformed_age_is_refused(text):
    with pytest.raises(OptionError, match="expected an age as 12h, 30d, 8w or 1y"):
        _ = Limits(older_than=text).age


@pytest.mark.parametrize("text", ["20", "GB", "-1GB", "20G", "1e9B", "20 parsecs", "nan GB"])
def test_a_malformed_size_is_refused(text):
    with pytest.raises(OptionError, match="expected a size as 500MB, 20GB or 1TB"):
        _ = Limits(max_size=text).max_bytes


def test_ages_and_sizes_are_read():
    assert [Limits(older_than=t).age.days for t in ("0d", "48h", "2w", "1y")] == [0, 2, 14, 365]
    assert NOW - Limits(history="99999y").history_age
    sizes = [Limits(max_size=t).max_bytes for t in ("", "5B", "1.5 kb", "20GB", "1KiB", "2TiB")]
    assert sizes == [None, 5, 1500, 20 * 10**9, 1024, 2 * 1024**4]
