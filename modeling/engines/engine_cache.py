"""Results of races in the user's cache folder, one small JSON file each, kept for a month."""

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

from modeling.engines.engine import Engine
from modeling.native.compilation import NoLibraryError, cache_folder
from system.files import write_whole

_DAYS = 30

_log = logging.getLogger(__name__)


def recall(key: str, cache: Path | None = None) -> Engine | None:
    """Read a result; None if there is none, or it is too old or damaged."""
    try:
        path = _path(key, cache)
        if time.time() - path.stat().st_mtime > _DAYS * 86_400:
            return None
        engine = Engine(**json.loads(path.read_text(encoding="utf-8")))
    except (NoLibraryError, OSError, ValueError, TypeError, RecursionError):
        return None
    return engine


def remember(key: str, engine: Engine, cache: Path | None = None) -> None:
    """Write a result atomically; if that fails, the next training runs another race."""
    try:
        path = _path(key, cache)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(engine)).encode(), concurrent=True)
    except (NoLibraryError, OSError) as error:
        _log.debug("the choice of an engine was not cached: %s", error)


def _path(key: str, cache: Path | None) -> Path:
    return (cache or cache_folder()) / f"engine-{key}.json"
