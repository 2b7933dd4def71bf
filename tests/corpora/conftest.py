"""Fixtures of the tests of sources."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpora.sources.youtube.run import Collection
from tests.corpora.sources.youtube.server import YoutubeServer, running


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """A collection of comments; its ledger must agree with the server's when a test ends."""
    (tmp_path / "out").mkdir()
    with running(YoutubeServer()) as server:
        made = Collection(tmp_path / "out", tmp_path / "state", server)
        yield made
    assert made.ledger() == made.server_ledger()
