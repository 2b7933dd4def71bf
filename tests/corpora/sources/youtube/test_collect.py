import json

import pytest

from corpora.errors import SourceError
from corpora.sources.youtube.quota import QuotaError
from corpora.sources.youtube.store import Listing, Video
from tests.corpora.sources.youtube.run import hold, threads
from tests.corpora.sources.youtube.server import error, thread, video_ids


def test_every_video_becomes_a_document_of_its_comments_in_order(collection):
    one, two, _ = hold(collection, 3, 250, 0)
    collection.run()
    assert collection.outcomes() == ["ok", "ok", "ok"]
    texts = collection.texts()
    assert texts[f"{one}.txt"].split("\n\n") == [f"comment {n} on {one}" for n in range(3)]
    assert texts[f"{two}.txt"].split("\n\n") == [f"comment {n} on {two}" for n in range(250)]
    assert collection.ledger() == [(1, 5)]


def test_twelve_pages_with_a_repeated_token_give_500_distinct_videos(collection, caplog):
    names = video_ids(500)
    # Every page repeats the last 10 videos of the previous one; two of its items are not videos.
    pages = [names[max(0, 43 * n - 5) : 43 * n + 43] for n in range(12)]
    collection.server.search = [*pages[:11], names[43 * 11 - 5 :]]
    collection.server.search_tokens = {11: "S5"}
    steps = collection.run(max_videos=1_000)
    found = Listing.load(collection.directory)
    assert found.videos == tuple(names)
    assert collection.ledger() == [(12, 500)]
    assert found.cursor.note == "page 12 repeated an earlier page token"
    assert "page 12 repeated an earlier page token, after 500 videos" in caplog.text
    assert steps[-1].note == "500 ok"


def test_the_search_stops_at_the_videos_that_are_wanted(collection):
    names = video_ids(500)
    collection.server.search = [names[n : n + 50] for n in range(0, 500, 50)]
    collection.run(max_videos=120)
    assert Listing.load(collection.directory).videos == tuple(names[:120])
    assert collection.ledger() == [(3, 120)]


def test_a_search_that_brings_nothing_new_is_left(collection):
    collection.server.search = [["v-000000000"]] * 90
    collection.run()
    assert collection.ledger() == [(4, 1)]
    assert "3 pages in a row" in Listing.load(collection.directory).cursor.note


def test_ids_that_are_no_video_never_become_a_path(collection):
    collection.server.search = [["../../escape", "", "v-000000001"]]
    collection.run()
    assert Listing.load(collection.directory).videos == ("v-000000001",)


def test_a_search_without_videos_is_one_clear_line(collection):
    collection.server.search = [[]]
    with pytest.raises(SourceError, match="no video found for 'flat earth'"):
        collection.run()


def test_disabled_and_missing_videos_are_typed_and_never_asked_again(collection):
    hold(collection, 2, "commentsDisabled", "videoNotFound", 2)
    collection.run()
    collection.run()
    assert collection.outcomes() == ["ok", "disabled", "not found", "ok"]
    assert collection.ledger() == [(1, 4)]
    assert collection.pauses == []


def test_a_video_with_more_comments_than_wanted_is_truncated(collection):
    hold(collection, 250, 200, 201)
    collection.run(comments_per_video=200)
    assert collection.outcomes() == ["truncated", "ok", "truncated"]
    assert [text.count("comment") for text in collection.texts().values()] == [200, 200, 200]
    assert collection.ledger() == [(1, 6)]


def test_a_repeated_page_token_of_comments_ends_the_video(collection):
    (name,) = hold(collection, 100)
    page = {"items": threads(name, 100), "nextPageToken": "C0"}
    collection.server.plan = {n: (200, json.dumps(page).encode()) for n in (1, 2)}
    collection.run()
    video = Video.load(collection.directory, name)
    assert (video.outcome, len(video.comments)) == ("truncated", 100)
    assert video.detail == "page 2 repeated an earlier page token"


def test_an_empty_page_that_names_a_next_one_is_not_the_end(collection):
    (name,) = hold(collection, 150)
    page = json.dumps({"items": [], "nextPageToken": "C0"}).encode()
    collection.server.plan = {1: (200, page)}
    collection.run()
    assert collection.outcomes() == ["ok"]
    assert collection.texts()[f"{name}.txt"].count("comment") == 150
    assert collection.ledger() == [(1, 3)]


def test_empty_pages_without_end_are_left_and_the_video_says_so(collection):
    (name,) = hold(collection, 100)
    pages = [{"items": [], "nextPageToken": f"X{n}"} for n in range(9)]
    collection.server.plan = {1 + n: (200, json.dumps(p).encode()) for n, p in enumerate(pages)}
    collection.run()
    video = Video.load(collection.directory, name)
    assert (video.outcome, video.detail) == ("truncated", "3 pages in a row brought nothing new")
    assert collection.ledger() == [(1, 3)]


def test_an_empty_page_without_a_next_one_is_a_video_without_comments(collection):
    (name,) = hold(collection, 0)
    collection.run()
    assert collection.outcomes() == ["ok"]
    assert collection.texts() == {f"{name}.txt": ""}


def test_a_video_that_is_deleted_between_search_and_comments_is_not_found(collection):
    one, two = hold(collection, 3, 3)
    steps = collection.steps()
    next(steps)
    collection.server.threads[one] = "videoNotFound"
    list(steps)
    assert collection.outcomes() == ["not found", "ok"]
    assert set(collection.texts()) == {f"{two}.txt"}


def test_a_video_that_is_deleted_between_two_pages_is_not_found_and_keeps_what_was_read(collection):
    (name,) = hold(collection, 150)
    steps = collection.steps()
    next(steps)
    next(steps)
    collection.server.threads[name] = "videoNotFound"
    list(steps)
    assert collection.outcomes() == ["not found"]
    assert collection.texts()[f"{name}.txt"].count("comment") == 100


def test_a_comment_that_is_edited_while_pages_are_read_stands_once_as_it_was_read(collection):
    (name,) = hold(collection, 150)
    steps = collection.steps()
    next(steps)
    next(steps)
    moved = thread(f"{name}.3", "edited, and therefore on the next page")
    collection.server.threads[name].insert(120, moved)
    list(steps)
    lines = collection.texts()[f"{name}.txt"].split("\n\n")
    assert lines == [f"comment {n} on {name}" for n in range(150)]


def test_a_page_token_that_expired_keeps_what_was_read(collection):
    hold(collection, 250)
    collection.server.plan = {2: error(400, "invalidPageToken")}
    collection.run()
    assert collection.outcomes() == ["truncated"]
    assert [text.count("comment") for text in collection.texts().values()] == [100]


def test_a_spent_quota_stops_at_once_and_the_next_day_goes_on(collection):
    collection.server.limits["other"] = 7
    names = hold(collection, 250, "commentsDisabled", 250, 2, 2)
    with pytest.raises(QuotaError, match=r"refused by the server.*2026-11-23 08:00 UTC"):
        collection.run()
    assert collection.outcomes() == ["ok", "disabled", "ok", "quota", "quota"]
    assert len(collection.server.log) == 9
    with pytest.raises(QuotaError):
        collection.run()
    assert len(collection.server.log) == 9
    collection.next_day()
    collection.run()
    assert collection.outcomes() == ["ok", "disabled", "ok", "ok", "ok"]
    refused = (names[3], "")
    asked = collection.server.asked("commentThreads")
    assert sorted(asked) == sorted([*set(asked), refused])


def test_a_quota_spent_between_two_pages_goes_on_at_the_next_page(collection):
    (name,) = hold(collection, 350)
    for _ in range(3):
        with pytest.raises(QuotaError, match="1 of 1 units"):
            collection.run(units_per_day=1)
        collection.next_day()
    collection.run(units_per_day=1)
    assert collection.server.asked("commentThreads") == [
        (name, token) for token in ("", "C100", "C200", "C300")
    ]
    assert collection.texts()[f"{name}.txt"].count("comment") == 350
    assert collection.ledger() == [(1, 1), (0, 1), (0, 1), (0, 1)]


def test_the_search_has_a_quota_of_its_own(collection):
    names = video_ids(200)
    collection.server.search = [names[n : n + 50] for n in range(0, 200, 50)]
    with pytest.raises(QuotaError, match="3 of 3 search calls"):
        collection.run(search_calls_per_day=3)
    collection.next_day()
    collection.run(search_calls_per_day=3)
    assert collection.ledger() == [(3, 0), (1, 200)]
    assert [token for _, token in collection.server.asked("search")] == ["", "S1", "S2", "S3"]


def test_a_quota_refused_at_the_first_request_leaves_a_folder_to_go_on_in(collection):
    hold(collection, 1)
    collection.server.limits["search"] = 0
    with pytest.raises(QuotaError, match="0 of 100 search calls, refused by the server"):
        collection.run()
    collection.server.spent[0, "search"] += 0  # a day without costs is in both ledgers
    collection.server.limits["search"] = 100
    collection.next_day()
    collection.run()
    assert collection.outcomes() == ["ok"]


@pytest.mark.parametrize("kills", range(1, 12))
def test_a_fetch_that_is_killed_loses_nothing_and_asks_nothing_twice(collection, kills):
    hold(collection, 250, "commentsDisabled", 120, 0, 301)
    steps = collection.steps()
    for _ in range(kills):
        next(steps)
    steps.close()
    collection.run()
    assert collection.outcomes() == ["ok", "disabled", "ok", "ok", "ok"]
    assert [text.count("comment") for text in collection.texts().values()] == [250, 120, 0, 301]
    asked = [*collection.server.asked("search"), *collection.server.asked("commentThreads")]
    assert len(asked) == len(set(asked)) == 12


def test_comments_that_move_to_the_next_page_are_kept_once(collection):
    (name,) = hold(collection, 150)
    shifted = [thread("late", "a late comment"), *collection.server.threads[name]]
    steps = collection.steps()
    next(steps)
    next(steps)
    collection.server.threads[name] = shifted
    list(steps)
    lines = collection.texts()[f"{name}.txt"].split("\n\n")
    assert lines == [f"comment {n} on {name}" for n in range(150)]
