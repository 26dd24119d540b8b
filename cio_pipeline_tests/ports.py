"""Ports for servers that want to be told one."""

import atexit
import socket


def free_port() -> int:
    """A port of this machine that nobody else gets as long as this process lives.

    It stays bound, which keeps others from getting it by chance, and a server may listen at it all
    the same.
    """
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    atexit.register(kept.close)
    return int(kept.getsockname()[1])
