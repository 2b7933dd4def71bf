"""Write the TOML of a new dataset from a URL and some extensions."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from corpora.errors import SpecError
from corpora.spec import NAME, dataset_files, parse_dataset


def add_dataset(
    location: str,
    extensions: Sequence[str],
    folder: Path,
    name: str | None = None,
    *,
    language: str = "prose",
) -> Path:
    """Write `folder`/NAME.toml for a repository's URL or a local folder; give its path.

    Args:
        location: URL of a git repository, or an existing folder that is none.
        extensions: each with its dot; at least one.
        name: of the dataset; made from the location if None.
        language: what its samples are scored as.

    Raises:
        SpecError: the name is taken or no name, or the location is neither URL nor folder.
    """
    last = re.split(r"[/:]", location.rstrip("/"))[-1].removesuffix(".git")
    name = name or re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")
    if not NAME.fullmatch(name):
        raise SpecError(f"{name!r} is no dataset's name: a-z, 0-9 and single '-'; set --name")
    taken = dataset_files([folder]).get(name)
    if taken:
        raise SpecError(f"the name {name!r} is taken by {taken}; set another with --name")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(_toml(last, location, extensions, language), encoding="utf-8")
    try:
        parse_dataset(path, {})
    except SpecError:
        path.unlink()
        raise
    return path


def _toml(title: str, location: str, extensions: Sequence[str], language: str) -> str:
    """The text of the dataset; a JSON string is a TOML string."""
    local = Path(location).expanduser()
    is_checkout = (local / ".git").exists() or (local / "HEAD").exists()
    place = json.dumps(str(local.resolve()) if local.exists() else location)
    if local.is_dir() and not is_checkout:
        source = ['kind = "folder"', f"path = {place}"]
    else:
        source = ['kind = "git"', "", "[[source.repositories]]", f"url = {place}"]
    lines = [
        f"title = {json.dumps(title)}",
        f"language = {json.dumps(language)}",
        "",
        "[source]",
        *source,
        "",
        "[corpus]",
        f"extensions = {json.dumps(list(extensions))}",
        "",
    ]
    return "\n".join(lines)
