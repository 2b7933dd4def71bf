"""The login of a server: one secret, for its user's browser and for its user's programs.

Programs send it as Prefect's clients do: HTTP basic authentication, or the first message of a
websocket. A browser exchanges the password once for a cookie. The cookie is derived from the
secret, so it survives a restart of the server, and becomes invalid with a new secret.
"""

import base64
import binascii
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from flows.store.locking import holding
from system.errors import SettingsError
from system.files import write_whole

FILE, LOCK = "login", "login.lock"
USER = "charmill"
MAX_BYTES = 10_000
SERVER_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_VARIABLE = "PREFECT_API_AUTH_STRING"


@dataclass(frozen=True, slots=True)
class Login:
    """A login; all comparisons take the same time for every wrong answer.

    Attributes:
        secret: `user:password`, as in `PREFECT_API_AUTH_STRING`. Never part of the repr.
    """

    secret: str = field(repr=False)

    @property
    def password(self) -> str:
        """What the login page asks for."""
        _, colon, password = self.secret.partition(":")
        return password if colon else self.secret

    @property
    def session(self) -> str:
        """The value of a browser's cookie, from which the secret cannot be derived."""
        return hmac.new(self.secret.encode(), b"charmill session", "sha256").hexdigest()

    def is_password(self, text: str) -> bool:
        """Whether the user entered the password, alone or as `user:password`."""
        return _is_same(text, self.password) | _is_same(text, self.secret)

    def is_session(self, text: str) -> bool:
        """Whether a cookie has the value of this login."""
        return _is_same(text, self.session)

    def is_secret(self, text: str) -> bool:
        """Whether a program sent the secret."""
        return _is_same(text, self.secret)

    def is_basic(self, header: str) -> bool:
        """Whether an Authorization header carries the secret."""
        scheme, _, encoded = header.partition(" ")
        try:
            sent = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(sent, self.secret.encode())


def stored_login(home: Path) -> Login:
    """The login of the server whose files are in `home`; generated at its first start.

    Raises:
        SettingsError: if other accounts may have read or written the file.
        StageError: if the file system has no locks.
    """
    path = home / FILE
    with holding(home / LOCK, lambda: None):
        if not path.exists():
            renew_login(home)
        return Login(_read(path))


def renew_login(home: Path) -> None:
    """Replace the login; a running server keeps the old one until it is restarted."""
    secret = f"{USER}:{secrets.token_urlsafe(32)}"
    write_whole(home / FILE, f"{secret}\n".encode(), 0o600, concurrent=True)


def login_url(ui: str, login: Login) -> str:
    """The link that logs a browser in; servers never see what comes after the `#`."""
    return f"{ui}/login#{quote(login.password, safe='')}"


def new_login() -> Login:
    """A login that nobody else will ever know."""
    return Login(f"{USER}:{secrets.token_urlsafe(32)}")


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read as the login ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        secret = file.read(MAX_BYTES).decode("ascii", "replace").strip()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"{path}: other accounts may know this login, its owner or mode is wrong; delete the "
            f"file for a new one, or set {SERVER_VARIABLE}=user:password"
        )
    if not (secret and secret.isascii() and secret.isprintable()):
        raise SettingsError(f"{path}: is damaged; delete the file for a new login")
    return secret


def _is_same(text: str, expected: str) -> bool:
    return hmac.compare_digest(text.encode(errors="surrogateescape"), expected.encode())
