"""One git repository in a dataset, validated so that git cannot misread any field."""

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from corpora.sources.local_paths import check_local
from system.display import secret_in

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
REFERENCE = re.compile(
    r"(?!@$|.*(\.\.|//|@\{|/\.|\.lock(/|$)|[./]$))"
    r"[^-+./\s~^:?*\[\\][^\s~^:?*\[\\]*"
)
"""What `git check-ref-format` allows, but no "+" at the beginning, which means something else."""
REMOTE = re.compile(r"(https|http|ssh|git|file)://[^\s-]\S*|\w[\w.-]*@\w[\w.-]*:[^\s-]\S*")
LOCAL, FILE = ("/", "./", "../", "~/"), "file://"
GIT_SUFFIXES = ("", "/.git", ".git", ".git/.git")
"""What git appends to a local path to find a repository."""
MAX_LABEL_BYTES = 100


def _url(text: str) -> str:
    if text.startswith(LOCAL) and text.isprintable():
        return text
    if secret := secret_in(text):
        raise ValueError(
            f"the URL contains {secret}, which would be stored and displayed; remove it, and let a "
            "git credential helper or ~/.netrc supply the login"
        )
    if not text.isprintable() or not REMOTE.fullmatch(text):
        given = "this" if "@" in text else repr(text)
        raise ValueError(
            f"{given} is not https://, ssh://, git://, file://, user@host:path or a path"
        )
    urlsplit(text)  # raises ValueError, as for "https://[x", which others will have to split
    return text


def _reference(text: str) -> str:
    if text.isprintable() and REFERENCE.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not a branch, a tag, HEAD or a full commit hash")


class Repository(BaseModel):
    """One repository.

    Attributes:
        url: as git takes it, or a path.
        ref: branch, tag or full commit.
        name: what the ledger calls it; by default the last part of the URL.
        license: SPDX expression that holds for all files that state none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_url)]
    ref: Annotated[str, AfterValidator(_reference)] = "HEAD"
    name: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$")
    license: str | None = None

    @model_validator(mode="after")
    def _label_can_name_a_file(self) -> "Repository":
        if not 0 < len(self.label.encode()) <= MAX_LABEL_BYTES:
            raise ValueError(f"give it a `name` of 1 to {MAX_LABEL_BYTES} characters")
        return self

    @property
    def label(self) -> str:
        """Its name: as given, or the last part of its URL."""
        last = re.sub(r"(/|\.git)+$", "", self.url).replace(":", "/").rsplit("/", 1)[-1]
        return self.name or re.sub(r"[^\w.-]", "_", last)

    @property
    def location(self) -> str:
        """The URL for git; a local path becomes an absolute file:// URL.

        Raises:
            SourceError: if it is on this machine, in a folder that sources may not read.
        """
        if not self.url.startswith((*LOCAL, FILE)):
            return self.url
        if self.url.startswith(FILE):
            # As git reads it: what looks like a host is a folder.
            path = Path("/" + os.fsdecode(unquote_to_bytes(self.url.removeprefix(FILE))))
        else:
            path = Path(self.url).expanduser().resolve()
        for suffix in GIT_SUFFIXES:
            if suffix == "" or os.path.lexists(f"{path}{suffix}"):
                check_local(Path(f"{path}{suffix}"))
        return self.url if self.url.startswith(FILE) else f"{FILE}{path}".replace("%", "%25")

    def bare(self, directory: Path) -> Path:
        """Its bare repository in the directory of a fetch."""
        return directory / f"{self.label}.git"
