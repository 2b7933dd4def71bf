"""Connections to GitHub's API that a slow server cannot hold, nor fill the memory through."""

from typing import Any

import requests.adapters
from github.Requester import (
    HTTPRequestsConnectionClass,
    HTTPSRequestsConnectionClass,
    Requester,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from corpora.sources.pacing import PACE, PacedSocket


def pace_connections() -> None:
    """Have PyGithub use these connections."""
    Requester.injectConnectionClasses(_Http, _Https)


def _paced(connection: Any) -> Any:
    """A paced class of connections; answers are limited in size, so they may not be packed."""

    class Paced(connection):
        def connect(self) -> None:
            super().connect()
            self.sock: Any = PacedSocket(self.sock, PACE)

        def getresponse(self) -> HTTPResponse:
            response = super().getresponse()
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ProtocolError("an answer that is packed, which was not asked for")
            return response

    return Paced


_PACED = {HTTPConnectionPool: _paced(HTTPConnection), HTTPSConnectionPool: _paced(HTTPSConnection)}


class _Adapter(requests.adapters.HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _PACED[type(pool)]
        return pool


class _Http(HTTPRequestsConnectionClass):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _pace(self)


class _Https(HTTPSRequestsConnectionClass):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _pace(self)


def _pace(connection: _Http | _Https) -> None:
    connection.session.headers["Accept-Encoding"] = "identity"
    connection.session.mount(f"{connection.protocol}://", _Adapter(max_retries=connection.retry))
