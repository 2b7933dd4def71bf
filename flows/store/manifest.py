"""The record of a finished run, written last: a folder that has one is complete."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from flows.errors import StageError
from system.files import write_whole

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The inputs and settings of a run, and what it produced.

    Attributes:
        key: digest of `inputs`, `parameters` and `version`, with "-N" for the N-th forced run.
        inputs: stage name to key of the run that it read.
        parameters: the settings that matter to the stage, JSON-plain.
        version: of the stage's code.
        summary: the stage's own figures (files, characters, losses), JSON-plain.
        seconds: working time, over all attempts.
        attempts: 1, or more if it was interrupted and resumed.
        created: when it was finished, ISO 8601 with offset.
        software: package versions.
    """

    stage: str
    dataset: str
    key: str
    inputs: Mapping[str, str]
    parameters: Mapping[str, Any]
    version: int
    summary: Mapping[str, Any]
    seconds: float
    attempts: int
    created: str
    software: Mapping[str, str]

    def save(self, directory: Path) -> None:
        """Write into `directory`."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False)
        write_whole(directory / MANIFEST, f"{text}\n".encode())

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            StageError: if the file is not a manifest; names it.
        """
        path = directory / MANIFEST
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StageError(
                f"{path}: not a manifest ({error}); remove its folder and run the stage again"
            ) from None
