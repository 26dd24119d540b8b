"""An endpoint that answers nothing, not even a connection."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def blackhole() -> Iterator[str]:
    """The URL of a port whose queue of connections is full: the next ones time out."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(2)]
        try:
            for one in waiting:
                one.setblocking(False)  # noqa: FBT003 - the socket's own signature
                one.connect_ex(listening.getsockname())
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            for one in waiting:
                one.close()
