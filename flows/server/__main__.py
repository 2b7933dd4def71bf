"""Serve one of our apps on a socket that the parent process has bound.

python -m flows.server with_ui|embedded DESCRIPTOR
"""

import socket
import sys

import uvicorn

KEEP_ALIVE_SECONDS = 5


def main(factory: str, descriptor: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        f"flows.server.app:{factory}", factory=True, timeout_keep_alive=KEEP_ALIVE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
