"""Write the TOML of a new dataset from what a user pastes: a URL or a path, and some extensions."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from corpora.errors import SpecError
from corpora.spec import NAME, dataset_files, parse_toml
from system.display import secret_in
from system.files import write_whole

LICENSE_FILES = ("LICENSE*", "LICENCE*", "UNLICENSE*", "COPYING*", "*-LICENSE*", "/LICENSES/")
"""What a folder's snapshot has besides the texts, so that their licence is known."""
LEFT_OUT = (
    ".git/",
    ".hg/",
    ".svn/",
    ".venv/",
    "venv/",
    "site-packages/",
    "node_modules/",
    "__pycache__/",
    ".tox/",
    ".ipynb_checkpoints/",
)
"""Folders of a folder that hold nobody's own texts."""
HOST_FIRST = re.compile(r"(www\.)?(github\.com|gitlab\.com|codeberg\.org|bitbucket\.org)/.+")
PAGES = {
    "github.com": re.compile(r"/(?P<project>[^/]+/[^/]+)(?:/(?:tree|blob)/(?P<place>.+))?"),
    "gitlab.com": re.compile(r"/(?P<project>.+?)(?:/-/(?:tree|blob)/(?P<place>.+))?"),
    "codeberg.org": re.compile(
        r"/(?P<project>[^/]+/[^/]+)(?:/src/(?:branch|tag|commit)/(?P<place>.+))?"
    ),
}
"""The paths of the pages of a repository, by host; `place` is a ref and a folder or file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """A repository, and which part of it a page shows: a ref, a folder or file; "" for all."""

    url: str
    ref: str = ""
    inside: str = ""


def add_dataset(
    location: str,
    extensions: Sequence[str],
    folder: Path,
    name: str | None = None,
    *,
    language: str = "prose",
) -> Path:
    """Write `folder`/NAME.toml for what is at `location`; return its path.

    Args:
        location: URL or path of a git repository, URL of a page of one on GitHub, GitLab or
            Codeberg, or path of another folder or file.
        extensions: with or without their dot, also as "*.py" or "py,pyi"; at least one.
        name: of the dataset; derived from the location if None.
        language: in which its samples are scored.

    Raises:
        SpecError: the name is taken or invalid, or the location is neither URL nor path, or
            contains a login or a token.
    """
    if not _is_path(location) and (secret := secret_in(location)):
        raise SpecError(
            f"the URL contains {secret}, which would be stored and displayed; remove it, and let a "
            "git credential helper or ~/.netrc supply the login"
        )
    if _is_path(location) and not _exists(location):
        raise SpecError(f"{location}: no such folder")
    address = _Address(url=location) if _exists(location) else _address(location)
    last = re.split(r"[/:]", address.url.rstrip("/"))[-1].removesuffix(".git")
    path = _free_place(name or re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-"), folder)
    text = _toml(last, address, plain_extensions(extensions), language)
    parse_toml(text, path, {})
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    return path


def _free_place(name: str, folder: Path) -> Path:
    """The file of a new dataset of this name."""
    if not NAME.fullmatch(name):
        raise SpecError(
            f"{name!r} is not a dataset name: a-z, 0-9 and single '-', at most 100; set --name"
        )
    if taken := dataset_files([folder]).get(name):
        raise SpecError(f"the name {name!r} is taken by {taken}; set another with --name")
    return folder / f"{name}.toml"


def plain_extensions(extensions: Sequence[str]) -> list[str]:
    """Extensions with their dot, each once: "py", "*.py" and "py,pyi" are taken too."""
    parts = (part.strip().removeprefix("*") for one in extensions for part in one.split(","))
    return list(dict.fromkeys(f".{part.removeprefix('.')}" for part in parts if part))


def _address(location: str) -> _Address:
    """Read a URL as a browser's address bar shows it; any other location stays as it is."""
    if HOST_FIRST.fullmatch(location):
        location = f"https://{location}"
    try:
        parts = urlsplit(location)
    except ValueError as error:  # the location is not repeated: it may contain a token
        raise SpecError(f"the location is neither a path nor an address: {error}") from None
    host = (parts.hostname or "").removeprefix("www.")
    page = PAGES.get(host) if parts.scheme in ("http", "https") else None
    found = page.fullmatch(parts.path.rstrip("/")) if page else None
    if found is None:
        return _Address(url=location)
    ref, _, inside = unquote(found["place"] or "").partition("/")
    return _Address(url=f"https://{host}/{found['project']}", ref=ref, inside=inside)


def _toml(title: str, address: _Address, extensions: Sequence[str], language: str) -> str:
    """The TOML of the dataset; JSON strings are TOML strings."""
    lines = [
        f"title = {json.dumps(title)}",
        f"language = {json.dumps(language)}",
        "",
        "[source]",
        *_source(address, extensions),
        "",
        "[corpus]",
        f"extensions = {json.dumps(extensions)}",
        *([f"include = {json.dumps([f'/{address.inside}'])}"] if address.inside else []),
        "",
    ]
    return "\n".join(lines)


def _source(address: _Address, extensions: Sequence[str]) -> list[str]:
    """The lines of the TOML's source."""
    if not _exists(address.url):
        ref = [f"ref = {json.dumps(address.ref)}"] if address.ref else []
        return _git(address.url, *ref)
    local = Path(address.url).expanduser()
    if local.is_file():
        return ['kind = "url"', f"urls = [{json.dumps(local.resolve().as_uri())}]"]
    if _is_repository(local):
        return _git(str(local.resolve()))
    included = [f"*{extension}" for extension in extensions]
    return [
        'kind = "folder"',
        f"path = {json.dumps(str(local.resolve()))}",
        f"include = {json.dumps([*included, *LICENSE_FILES])}",
        f"exclude = {json.dumps(LEFT_OUT)}",
    ]


def _git(url: str, *more: str) -> list[str]:
    return ['kind = "git"', "", "[[source.repositories]]", f"url = {json.dumps(url)}", *more]


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
