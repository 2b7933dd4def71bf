"""The record of a finished run, written last: a folder that has one is complete.

It holds size and digest of every file of the run, and a digest of itself, so any change to a
finished run can be found (`integrity.py`). Format 1, of earlier versions, has none of these.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from flows.errors import DamageError, StageError
from system.files import read_file, sha256_of, write_whole

MANIFEST = "manifest.json"
FORMAT = 2
KEY_DIGITS = 16
MAX_BYTES = 2**63
"""No file is as large."""
KEY = re.compile(r"[0-9a-z]+(-[0-9]+)?")
"""A digest, with "-N" for the N-th forced run; a folder of another name is no run."""
DIGEST_LINE = '\n "digest": "{}"'
"""The line of the manifest's own digest; a string never contains a newline in JSON."""
NO_DIGEST = "0" * 64
"""In place of its own digest when a manifest is hashed."""

TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("stage", "dataset", "key", "created"), str),
    **dict.fromkeys(("version", "attempts"), int),
    "seconds": (int, float),
}
"""The types of fields that are no mappings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What a file of a finished run must be."""

    bytes: int
    sha256: str


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
        files: every file of the run but the manifest, by its path with "/"; None if an earlier
            version made the run.
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
    files: Mapping[str, FileRecord] | None = None

    @property
    def has_true_key(self) -> bool:
        """Whether the key is that of the recorded inputs, parameters and version."""
        digest = key_digest(self.stage, self.version, self.parameters, self.inputs)
        return self.key.partition("-")[0] == digest

    def save(self, directory: Path) -> None:
        """Write into `directory`."""
        data = asdict(self) | {"format": FORMAT, "digest": NO_DIGEST}
        text = json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        text = text.replace(DIGEST_LINE.format(NO_DIGEST), DIGEST_LINE.format(digest), 1)
        write_whole(directory / MANIFEST, text.encode())

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, in this version or an earlier one.

        Raises:
            DamageError: if the file is missing or damaged; names it.
            StageError: if a later version of charmill wrote it.
        """
        path = directory / MANIFEST
        try:
            content = read_file(path)
            data = json.loads(content)
            if _format(data) <= FORMAT:
                return cls(**_fields(content, data))
        except OSError as error:
            raise DamageError(f"{path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = " ".join(f"{error}".split())
            raise DamageError(f"{path}: not a manifest ({reason})") from None
        raise StageError(f"{path}: written by a later version of charmill; update charmill")


def key_digest(
    stage: str, version: int, parameters: Mapping[str, Any], inputs: Mapping[Any, str]
) -> str:
    """The key of the first run of a stage with these settings on these inputs."""
    text = json.dumps([stage, version, parameters, dict(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def run_number(key: str) -> int:
    """1 for the first run with a digest, N for the N-th."""
    return int(key.partition("-")[2] or 1)


def record_files(directory: Path) -> dict[str, FileRecord]:
    """The size and digest of every file in a folder but the manifest, by its path with "/"."""
    return {
        path.relative_to(directory).as_posix(): FileRecord(
            bytes=path.stat().st_size, sha256=sha256_of(path)
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path != directory / MANIFEST
    }


def _format(data: Mapping[str, Any]) -> int:
    found = data.get("format", 1)
    if type(found) is not int or found < 1:
        raise ValueError(f"unknown format {found!r}")
    return found


def _fields(content: bytes, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a manifest, checked.

    Raises:
        ValueError: if it was changed after it was written.
        TypeError: for a value of the wrong type, which no digest excludes in format 1.
    """
    values = {name: value for name, value in data.items() if name not in ("format", "digest")}
    if _format(data) > 1:
        line, blank = (DIGEST_LINE.format(one).encode() for one in (data["digest"], NO_DIGEST))
        if hashlib.sha256(content.replace(line, blank, 1)).hexdigest() != data["digest"]:
            raise ValueError("it was changed after it was written")
    for name, value in values.items():
        is_absent = name == "files" and value is None
        if not is_absent and not isinstance(value, TYPES.get(name, Mapping)):
            raise TypeError(f"{name} is {value!r:.40}")
    if not all(isinstance(key, str) for key in values["inputs"].values()):
        raise TypeError("the key of an input is no text")
    files = values.get("files")
    return values | {"files": files and {name: _record(one) for name, one in files.items()}}


def _record(fields: Mapping[str, Any]) -> FileRecord:
    record = FileRecord(**fields)
    if type(record.bytes) is not int or not 0 <= record.bytes < MAX_BYTES:
        raise ValueError(f"a file of {record.bytes!r:.40} bytes")
    return record
