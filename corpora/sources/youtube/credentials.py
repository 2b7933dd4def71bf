"""The API key, from the settings or a file."""

import os
import re
import stat

from pydantic import SecretStr

from corpora.errors import SourceError
from system.settings import Settings, variable

KEY, KEY_FILE = map(variable, ("youtube_key", "youtube_key_file"))
LONGEST_KEY = 1_000
VISIBLE = re.compile(r"[\x21-\x7e]+")


def read_key(settings: Settings) -> SecretStr:
    """The API key, from CHARMILL_YOUTUBE_KEY or the file CHARMILL_YOUTUBE_KEY_FILE names.

    Raises:
        SourceError: if there is none, or users other than its owner may read the file.
    """
    if settings.youtube_key and (key := settings.youtube_key.get_secret_value().strip()):
        return _checked(SecretStr(key), KEY)
    if settings.youtube_key_file is None:
        raise SourceError(
            f"YouTube: no API key; set {KEY}, or {KEY_FILE} to a file with the key and mode 0600"
        )
    path = settings.folder("youtube_key_file")
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


def _checked(key: SecretStr, place: str) -> SecretStr:
    if not VISIBLE.fullmatch(key.get_secret_value()):
        raise SourceError(f"{place}: is not an API key: one word of ASCII is expected")
    return key
