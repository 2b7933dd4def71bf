"""The API key and the API's address, from the environment or a file."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from corpora.errors import SourceError

KEY = "CHARMILL_YOUTUBE_KEY"
KEY_FILE = "CHARMILL_YOUTUBE_KEY_FILE"
ENDPOINT = "CHARMILL_YOUTUBE_ENDPOINT"
GOOGLE = "https://youtube.googleapis.com/"
LONGEST_KEY = 1_000
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
VISIBLE = re.compile(r"[\x21-\x7e]+")


def read_key(environment: Mapping[str, str]) -> SecretStr:
    """The API key, from CHARMILL_YOUTUBE_KEY or the file CHARMILL_YOUTUBE_KEY_FILE names.

    Raises:
        SourceError: if there is none, or users other than its owner may read the file.
    """
    if environment.get(KEY, "").strip():
        return _checked(SecretStr(environment[KEY].strip()), KEY)
    name = environment.get(KEY_FILE, "")
    if not name:
        raise SourceError(
            f"YouTube: no API key; set {KEY}, or {KEY_FILE} to a file with the key and mode 0600"
        )
    path = Path(name).expanduser()
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise SourceError(
                    f"{path}: others than its owner may read it (mode {mode:04o}); chmod 600"
                )
            return _checked(SecretStr(file.read(LONGEST_KEY).strip()), str(path))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror} (named by {KEY_FILE})") from None


def read_endpoint(environment: Mapping[str, str]) -> str:
    """The URL of the API: Google's, or the value of CHARMILL_YOUTUBE_ENDPOINT.

    Raises:
        SourceError: for a URL that would send the key unencrypted to another machine.
    """
    endpoint = environment.get(ENDPOINT) or GOOGLE
    parts = urlsplit(endpoint)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        raise SourceError(f"{ENDPOINT}: {endpoint!r} is neither https:// nor http://127.0.0.1")
    return endpoint


def _checked(key: SecretStr, place: str) -> SecretStr:
    if not VISIBLE.fullmatch(key.get_secret_value()):
        raise SourceError(f"{place}: is not an API key: one word of ASCII is expected")
    return key
