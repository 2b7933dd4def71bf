"""What a power cut may leave of a folder: recorded while code writes into it, then rebuilt.

A recording is a series of frames: the whole folder before each change and each fsync. After a power
cut at some frame, a legal disk holds

- every folder's entries as in any frame since its last fsync, independently of other folders;
- every file's content as in any frame since its last fsync; or, if it changed since, nothing of it,
  or the first part of it.

That is weaker than what ext4 or XFS promise, as is POSIX. What existed in the first frame is on the
disk. Contents are small and are kept whole.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.faults.filesystem import on_every_change

Node = tuple[str, Any]
"""("folder", identity), ("file", identity) or ("link", target)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A folder at one moment.

    Attributes:
        folders: identity to entries, by name.
        files: identity to content.
        synced: identity of what fsync brought to the disk at this moment, None for a change.
    """

    folders: dict[int, dict[str, Node]]
    files: dict[int, bytes]
    synced: int | None = None


@dataclass(slots=True, kw_only=True)
class Recording:
    """All frames of a folder; the identity of the folder itself."""

    root: int
    frames: list[Frame] = field(default_factory=list)

    def crash(self, at: int, random: Random, target: Path) -> None:
        """Build what a power cut after frame `at` may leave, in an empty folder.

        Half of the disks have lost nothing or everything that they may lose.
        """
        luck = random.choice((0.0, 1.0, random.random(), random.random()))
        self._build(self.root, _Cut(self, at, random, luck), target)

    def _build(self, identity: int, cut: "_Cut", target: Path) -> None:
        target.mkdir(exist_ok=True)
        for name, (kind, value) in cut.entries(identity).items():
            path = target / name
            if kind == "folder":
                self._build(value, cut, path)
            elif kind == "link":
                path.symlink_to(value)
            else:
                path.write_bytes(cut.content(value))


@dataclass(slots=True)
class _Cut:
    """One power cut: what is lost is decided once for every file and folder."""

    recording: Recording
    at: int
    random: Random
    luck: float

    def entries(self, identity: int) -> dict[str, Node]:
        """The entries of a folder; a new one that was never brought to the disk may be empty."""
        possible = list(self._since_sync(identity, "folders"))
        return self._one_of(possible) if possible else {}

    def content(self, identity: int) -> bytes:
        """The content of a file."""
        possible = list(self._since_sync(identity, "files"))
        last = possible[-1]
        if len(set(possible)) > 1 or not self._is_synced(identity):
            possible[:0] = [b"", last[: self.random.randint(0, len(last))]]
        return self._one_of(possible)

    def _one_of(self, possible: list[Any]) -> Any:
        """The last one with luck, the first one without."""
        if self.random.random() < self.luck:
            return possible[-1]
        return self.random.choice((possible[0], self.random.choice(possible)))

    def _is_synced(self, identity: int) -> bool:
        return any(frame.synced == identity for frame in self._until()) or any(
            identity in there for there in (self._until()[0].files, self._until()[0].folders)
        )

    def _until(self) -> list[Frame]:
        return self.recording.frames[: self.at + 1]

    def _since_sync(self, identity: int, kind: str) -> Iterator[Any]:
        frames = self._until()
        first = max((i for i, frame in enumerate(frames) if frame.synced == identity), default=0)
        return (
            getattr(frame, kind)[identity]
            for frame in frames[first:]
            if identity in getattr(frame, kind)
        )


class Recorder:
    """Records a folder from now on, until this process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identities: dict[tuple[int, int], int] = {}
        self._contents: dict[int, tuple[tuple[int, int], bytes]] = {}
        self._busy = False
        self.recording = Recording(root=0)
        self.take()
        self.recording.root = self._last_root
        on_every_change(self.take)
        self._fsync = os.fsync
        os.fsync = self._sync

    def take(self, descriptor: int | None = None) -> None:
        """Add a frame, unless nothing has changed."""
        if self._busy:
            return
        self._busy = True
        try:
            folders: dict[int, dict[str, Node]] = {}
            files: dict[int, bytes] = {}
            self._last_root = self._scan(self._folder, folders, files)
            gone = self._contents.keys() - files.keys()
            for identity in gone:
                del self._contents[identity]
            alive = folders.keys() | files.keys()
            self._identities = {k: v for k, v in self._identities.items() if v in alive}
            synced = None if descriptor is None else self._identity(os.fstat(descriptor))
            frame = Frame(folders=folders, files=files, synced=synced)
            frames = self.recording.frames
            if not frames or frame != frames[-1]:
                frames.append(frame)
        finally:
            self._busy = False

    def _sync(self, descriptor: int) -> None:
        self._fsync(descriptor)
        self.take(descriptor)

    def _scan(
        self, folder: Path, folders: dict[int, dict[str, Node]], files: dict[int, bytes]
    ) -> int:
        identity = self._identity(folder.stat())
        entries = folders[identity] = {}
        for entry in os.scandir(folder):
            status = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                entries[entry.name] = ("link", str(Path(entry.path).readlink()))
            elif stat.S_ISDIR(status.st_mode):
                entries[entry.name] = ("folder", self._scan(Path(entry.path), folders, files))
            else:
                number = self._identity(status)
                entries[entry.name] = ("file", number)
                files[number] = self._content(number, Path(entry.path), status)
        return identity

    def _identity(self, status: os.stat_result) -> int:
        """A number for a file or folder; inode numbers are used again after a deletion."""
        place = (status.st_ino, stat.S_IFMT(status.st_mode))
        if place not in self._identities:
            self._next = getattr(self, "_next", 0) + 1
            self._identities[place] = self._next
        return self._identities[place]

    def _content(self, number: int, path: Path, status: os.stat_result) -> bytes:
        version = (status.st_mtime_ns, status.st_size)
        if number not in self._contents or self._contents[number][0] != version:
            self._contents[number] = (version, path.read_bytes())
        return self._contents[number][1]


def recorded(folder: Path, work: Callable[[], object]) -> Recording:
    """Record the folder while `work` writes into it; the last frame is the end."""
    recorder = Recorder(folder)
    work()
    recorder.take()
    return recorder.recording
