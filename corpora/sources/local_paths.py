"""The bound on what sources may read on this machine, if its owner has set one.

Whoever may run a dataset may name any path in its source, and the text ends up in a report. With
`CHARMILL_SOURCE_ROOTS`, only what is in these folders is read, wherever links lead.
"""

from pathlib import Path

from corpora.errors import SourceError
from system.settings import Settings, variable


def check_local(path: Path) -> None:
    """Refuse a path of a source that is not in the folders of `CHARMILL_SOURCE_ROOTS`.

    Raises:
        SourceError: if it is elsewhere, whether or not it exists.
    """
    roots = Settings().source_folders
    if not roots:
        return
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        known = ", ".join(map(str, roots))
        raise SourceError(f"{path}: is not in a folder of {variable('source_roots')}: {known}")
