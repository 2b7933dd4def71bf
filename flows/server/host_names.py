"""Host names that our server accepts in the Host header of a request.

With DNS rebinding, a foreign web page resolves its own name to this machine, and the browser
considers our server that page's origin. Only the name, which the page cannot change, reveals it.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

from system.errors import SettingsError
from system.settings import variable

SETTING = variable("server_hosts")
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_AUTHORITY = re.compile(
    r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNames:
    """The names of a server; any port is accepted, so that tunnels can use their own.

    Attributes:
        listed: names and addresses, in lower case and without brackets.
        any_address: whether every IP address is accepted too. Rebinding needs a name, and a server
            in a container does not know the address of its published port.
    """

    listed: frozenset[str]
    any_address: bool

    def __contains__(self, name: str) -> bool:
        return name in self.listed or (self.any_address and _is_reachable_address(name))

    def __str__(self) -> str:
        names = [f"[{name}]" if ":" in name else name for name in sorted(self.listed)]
        return ", ".join([*names, *(["any IP address"] if self.any_address else [])])


def host_names(bound: str, further: str) -> HostNames:
    """The names that a server accepts.

    Args:
        bound: the address or name that it listens on.
        further: more names, separated by commas, as in `CHARMILL_SERVER_HOSTS`.

    Raises:
        SettingsError: if one of them is not a host name.
    """
    names = {*LOOPBACK_NAMES, bound.lower()}
    for text in filter(None, (part.strip() for part in further.split(","))):
        name, port = parse_authority(text)
        if not name or port:
            raise SettingsError(
                f"{SETTING}: {text!r} is not a host name; expected names or addresses without "
                "scheme or port, separated by commas"
            )
        names.add(name)
    if is_loopback(bound):
        return HostNames(listed=frozenset(names), any_address=False)
    # Not getfqdn: the attacker may answer reverse look-ups in this network.
    machine = socket.gethostname().lower()
    names |= {machine, machine.partition(".")[0]}
    return HostNames(listed=frozenset(names - {"", "0.0.0.0", "::"}), any_address=True)  # noqa: S104


def parse_authority(authority: str) -> tuple[str, str | None]:
    """Split `name:port`.

    Returns:
        The name in canonical form (lower case, no brackets), empty if anything is malformed; and
        the port, if there is one.
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return "", None
    name = match[1].lower()
    try:
        return str(ipaddress.ip_address(name.strip("[]"))), match[2]
    except ValueError:
        return ("" if name.startswith("[") else name), match[2]


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_reachable_address(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False
