"""Write the TOML of a new dataset from what a user pastes: a URL or a path, and some extensions."""

import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname

from corpora.errors import SpecError
from corpora.sources.git.repository import REMOTE
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
HOST_FIRST = re.compile(
    r"(www\.)?(github\.com|gitlab\.com|codeberg\.org|bitbucket\.org)/.+", re.IGNORECASE
)
OF_GITLAB = (
    r"/-/(?:(?:tree|blob|raw|blame|edit|commits?|tags)/(?P<place>.+)"
    r"|archive/(?P<archived>[^/]+)/[^/]+|.*)"
)
OF_FORGEJO = r"/(?:src|raw|media|rss)/(?:branch|tag|commit)/(?P<place>.+)"
PAGES = {
    "github.com": re.compile(
        r"/(?P<project>[^/]+/[^/]+)(?:/(?:tree|blob|raw|blame|edit|commits?|releases/tag)"
        r"/(?P<place>.+)|/archive/(?P<archived>.+)\.(?:tar\.gz|zip)|/(?!releases/download/).*)?"
    ),
    "gist.github.com": re.compile(r"/(?P<project>(?:[^/]+/)?[0-9a-f]{20,40})(?:/.*)?"),
    "raw.githubusercontent.com": re.compile(r"/(?P<project>[^/]+/[^/]+)/(?P<place>.+)"),
    "gitlab.com": re.compile(rf"/(?P<project>.+?)(?:{OF_GITLAB}|/(?:tree|blob)/(?P<older>.+))?"),
    "codeberg.org": re.compile(rf"/(?P<project>[^/]+/[^/]+)(?:{OF_FORGEJO}|/.*)?"),
    "bitbucket.org": re.compile(r"/(?P<project>[^/]+/[^/]+)(?:/src/(?P<place>.+)|/.*)?"),
    "git.sr.ht": re.compile(
        r"/(?P<project>~[^/]+/[^/]+)(?:/tree/(?P<place>[^/]+(?:/item/.+)?)|/.*)?"
    ),
    "": re.compile(rf"/(?P<project>.+?)(?:{OF_GITLAB}|{OF_FORGEJO.replace('place', 'older')})"),
}
"""The paths of the pages of a repository, by host, "" for any other; the groups but `project` are a
ref and a folder or file."""
CLONED_FROM = {"raw.githubusercontent.com": "github.com"}
ACCOUNT = re.compile(r"/(?:(?:orgs|users)/)?([^/]+)(?:/(?:repositories|projects|people))?")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".gz", ".xz", ".bz2")


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
        SpecError: there is no extension, the name is taken or invalid, or the location is neither
            URL nor path, is an account, or contains a login or a token.
    """
    location = _local(location.strip())
    wanted = plain_extensions(extensions)
    if not location or not wanted:
        missing = "--ext names no extension; give one, as py" if location else "no URL and no path"
        raise SpecError(missing)
    if not _is_path(location) and (secret := secret_in(location)):
        raise SpecError(
            f"the URL contains {secret}, which would be stored and displayed; remove it, and let a "
            "git credential helper or ~/.netrc supply the login"
        )
    if _is_path(location) and not _exists(location):
        raise SpecError(f"{location}: no such file or folder")
    address = _Address(url=location) if _exists(location) else _address(location)
    last = re.split(r"[/:]", address.url.rstrip("/"))[-1].removesuffix(".git")
    path = _free_place(name or re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-"), folder)
    text = _toml(last, address, wanted, language)
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
    """Read a URL as a browser's address bar or pip shows it; any other stays as it is."""
    if HOST_FIRST.fullmatch(location):
        location = f"https://{location}"
    for_pip = location.startswith("git+")
    location = location.removeprefix("git+")
    try:
        parts = urlsplit(location)
    except ValueError as error:  # the location is not repeated: it may contain a token
        raise SpecError(f"the location is neither a path nor an address: {error}") from None
    path, _, wanted = parts.path.partition("@") if for_pip else (parts.path, "", "")
    if wanted:
        return _Address(url=parts._replace(path=path, fragment="").geturl(), ref=wanted)
    page = _page(parts)
    if page is None and not REMOTE.fullmatch(location):
        given = "this" if "@" in location else repr(location)
        raise SpecError(
            f"{given} is not https://, ssh://, git://, file:// or user@host:path, nor a file or "
            "folder here"
        )
    return page or _Address(url=location)


def _page(parts: SplitResult) -> _Address | None:
    """The repository whose page this is, None if it is no page of a known form."""
    host = (parts.hostname or "").removeprefix("www.")
    if parts.scheme not in ("http", "https"):
        return None
    if host == "github.com" and (account := ACCOUNT.fullmatch(parts.path.rstrip("/"))):
        raise SpecError(
            f"{account[1]} is an account, not a repository: add one of its repositories, or write "
            'a dataset with kind = "github" for all of them (docs/how-to/own-account.md)'
        )
    found = PAGES.get(host, PAGES[""]).fullmatch(parts.path.rstrip("/"))
    if found is None:
        return None
    project, *places = found.groups()
    place = unquote(next(filter(None, places), ""))
    ref, _, inside = re.sub(r"^refs/(heads|tags)/", "", place).partition("/")
    if host == "git.sr.ht":
        inside = inside.removeprefix("item/")
    inside = posixpath.normpath(f"/{inside.lstrip('/')}").lstrip("/")
    known = CLONED_FROM.get(host, host) if host in PAGES else ""
    base = f"https://{known}" if known else f"{parts.scheme}://{parts.netloc}"
    return _Address(url=f"{base}/{project}", ref=ref, inside=inside)


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
        *([f"include = {json.dumps([_pattern(address.inside)])}"] if address.inside else []),
        "",
    ]
    return "\n".join(lines)


def _pattern(path: str) -> str:
    """The gitignore pattern that matches this path and no other."""
    return "/" + re.sub(r"([*?\[\]\\])", r"\\\1", path)


def _source(address: _Address, extensions: Sequence[str]) -> list[str]:
    """The lines of the TOML's source."""
    if not _exists(address.url):
        path = urlsplit(address.url).path.lower()
        if address.url.startswith("http") and path.endswith((*extensions, *ARCHIVES)):
            return _download(address.url)
        ref = [f"ref = {json.dumps(address.ref)}"] if address.ref else []
        return _git(address.url, *ref)
    local = Path(address.url).expanduser()
    if local.is_file():
        return _download(local.resolve().as_uri())
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


def _download(url: str) -> list[str]:
    return ['kind = "url"', f"urls = [{json.dumps(url)}]"]


def _local(location: str) -> str:
    """The path in a file:// URL of something that is not a git repository."""
    if not location.startswith("file:///"):
        return location
    path = url2pathname(urlsplit(location).path)
    return path if _exists(path) and not _is_repository(Path(path)) else location


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
