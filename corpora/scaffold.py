"""Write the TOML of a new dataset from a URL and some extensions."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from corpora.errors import SpecError
from corpora.spec import NAME, dataset_files, parse_toml
from system.display import secret_in
from system.files import write_whole


def add_dataset(
    location: str,
    extensions: Sequence[str],
    folder: Path,
    name: str | None = None,
    *,
    language: str = "prose",
) -> Path:
    """Write `folder`/NAME.toml for the URL of a repository or a local folder; return its path.

    Args:
        location: URL or path of a git repository, or another existing folder.
        extensions: each with its dot; at least one.
        name: of the dataset; derived from the location if None.
        language: in which its samples are scored.

    Raises:
        SpecError: the name is taken or invalid, or the location is neither URL nor folder, or
            contains a login or a token.
    """
    if not _is_path(location) and (secret := secret_in(location)):
        raise SpecError(
            f"the URL contains {secret}, which would be stored and displayed; remove it, and let a "
            "git credential helper or ~/.netrc supply the login"
        )
    if _is_path(location) and not _exists(location):
        raise SpecError(f"{location}: no such folder")
    last = re.split(r"[/:]", location.rstrip("/"))[-1].removesuffix(".git")
    name = name or re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")
    if not NAME.fullmatch(name):
        raise SpecError(
            f"{name!r} is not a dataset name: a-z, 0-9 and single '-', at most 100; set --name"
        )
    taken = dataset_files([folder]).get(name)
    if taken:
        raise SpecError(f"the name {name!r} is taken by {taken}; set another with --name")
    path = folder / f"{name}.toml"
    text = _toml(last, location, extensions, language)
    parse_toml(text, path, {})
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    return path


def _toml(title: str, location: str, extensions: Sequence[str], language: str) -> str:
    """The TOML of the dataset; JSON strings are TOML strings."""
    exists = _exists(location)
    local = Path(location).expanduser() if exists else Path()
    place = json.dumps(str(local.resolve()) if exists else location)
    if exists and local.is_dir() and not _is_repository(local):
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


def _exists(location: str) -> bool:
    """Whether there is something at a path; not where the path itself is impossible."""
    try:
        return Path(location).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long, no such user, NUL
        return False


def _is_path(location: str) -> bool:
    """Whether this can only be a path, not a URL or what git takes for one."""
    return location.startswith(("/", "./", "../", "~"))


def _is_repository(folder: Path) -> bool:
    """Whether git has its data in this folder: a checkout, a linked worktree, a bare repository."""
    if not any((folder / name).exists() for name in (".git", "HEAD")):
        return False
    try:
        from git import InvalidGitRepositoryError, Repo
    except ImportError:  # GitPython runs git when it is imported
        raise SpecError(f"{folder}: seems to be a git repository, but git is missing") from None
    try:
        Repo(folder, search_parent_directories=False).close()
    except InvalidGitRepositoryError:
        return False
    return True
