"""Where everything stands under the artifacts root. Pure path arithmetic, but for `latest`.

<root>/<stage>/<dataset>/<key>/        a finished stage; never written to again
<root>/<stage>/<dataset>/latest        link to the key that was made or reused last
<root>/<stage>/<dataset>/.work-<key>/  a stage at work, or what a killed one left
<root>/<stage>/<dataset>/.failed       why the last attempt failed, until the next success
<root>/.locks/                         one lock per key, and per device that trains
<root>/.prefect/                       Prefect's home: its database and settings
"""

import os
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one artifacts root."""

    root: Path

    def shelf(self, stage: str, dataset: str) -> Path:
        """The folder of all runs of a stage of a dataset."""
        return self.root / stage / dataset

    def published(self, stage: str, dataset: str, key: str) -> Path:
        """Where a finished run stands."""
        return self.shelf(stage, dataset) / key

    def work(self, stage: str, dataset: str, key: str) -> Path:
        """Where a run is made; always the same for a key, so that a killed one can go on."""
        return self.shelf(stage, dataset) / f".work-{key}"

    def lock(self, stage: str, dataset: str, key: str) -> Path:
        """The lock that a run holds while it is made."""
        return self.root / ".locks" / f"{stage}-{dataset}-{key}.lock"

    def device_lock(self, device: str) -> Path:
        """The lock that trainings hold on a device."""
        return self.root / ".locks" / f"training-on-{device}.lock"

    def failure(self, stage: str, dataset: str) -> Path:
        """Why the last attempt at a stage failed; not there after a success."""
        return self.shelf(stage, dataset) / ".failed"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home."""
        return self.root / ".prefect"

    def is_published(self, stage: str, dataset: str, key: str) -> bool:
        """Whether the run of this key is complete."""
        return (self.published(stage, dataset, key) / MANIFEST).is_file()

    def latest_key(self, stage: str, dataset: str) -> str | None:
        """The key that `latest` points at, None if there is none or it is gone."""
        link = self.shelf(stage, dataset) / LATEST
        key = link.readlink().name if link.is_symlink() else None
        return key if key and self.is_published(stage, dataset, key) else None

    def point_latest(self, stage: str, dataset: str, key: str) -> None:
        """Let `latest` point at `key`, in one step: what failed before has succeeded now."""
        self.failure(stage, dataset).unlink(missing_ok=True)
        if self.latest_key(stage, dataset) == key:
            return
        link = self.shelf(stage, dataset) / LATEST
        temporary = link.with_name(f".{LATEST}-{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(key)
        temporary.replace(link)

    def keys(self, stage: str, dataset: str) -> list[str]:
        """Keys of all finished runs, oldest first."""
        found = self.shelf(stage, dataset).glob(f"[!.]*/{MANIFEST}")
        dated = sorted(
            (path.stat().st_mtime_ns, path.parent.name)
            for path in found
            if not path.parent.is_symlink()
        )
        return [key for _, key in dated]
