import pytest

from corpora.sources.youtube_store import outcomes
from flows.inspect import forget
from flows.layout import Layout
from flows.manifest import Manifest
from flows.stage import StageError
from tests.corpora.youtube_run import Collection, hold
from tests.corpora.youtube_server import YoutubeServer, running


def published(layout: Layout, stage: str, key: str, inputs: dict[str, str]) -> None:
    folder = layout.published(stage, "talk", key)
    folder.mkdir(parents=True, exist_ok=True)
    Manifest(
        stage=stage,
        dataset="talk",
        key=key,
        inputs=inputs,
        parameters={},
        version=1,
        summary={},
        seconds=1.0,
        attempts=1,
        created="2026-11-22T12:00:00+00:00",
        software={},
    ).save(folder)


def test_forgetting_a_video_removes_its_comments_and_the_corpora_made_of_them(tmp_path):
    layout = Layout(tmp_path)
    published(layout, "fetch", "f1", {})
    published(layout, "corpus", "c1", {"fetch": "f1"})
    published(layout, "corpus", "c2", {"fetch": "another"})
    folder = layout.published("fetch", "talk", "f1")
    with running(YoutubeServer()) as server:
        collection = Collection(folder, server)
        hold(collection, 3, 2)
        collection.run()
    video = next(v for v in outcomes(folder).values() if v.outcome == "ok")
    removed, deleted = forget(layout, "talk", video.video_id)
    assert removed == len(video.comments) > 0
    assert deleted == [layout.published("corpus", "talk", "c1")]
    assert outcomes(folder)[video.video_id].outcome == "forgotten"
    assert layout.keys("corpus", "talk") == ["c2"]


def test_what_was_never_fetched_from_youtube_cannot_be_forgotten(tmp_path):
    with pytest.raises(StageError, match="nothing was fetched from YouTube"):
        forget(Layout(tmp_path), "talk", "x")
