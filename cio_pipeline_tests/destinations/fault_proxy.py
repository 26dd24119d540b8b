"""A real HTTP server in front of a store, which fails as it is told (D8).

Requests go through unchanged, so their signatures hold. A fault is used up by the request that it
meets; with `lasting`, every request meets it.
"""

import http.client
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """What happens to a request.

    `answer` is sent instead of passing it on; `lost` passes it on but resets the connection before
    the answer, `reset` without passing it on; `delay` waits before passing it on. Only requests of
    `method`, and whose path and query contain `naming`, are met.
    """

    answer: tuple[int, str] | None = None
    lost: bool = False
    reset: bool = False
    delay: float = 0
    method: str | None = None
    naming: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def meets(self, method: str, path: str) -> bool:
        return self.method in {None, method} and self.naming in path


class FaultProxy(ThreadingHTTPServer):
    """See the module. `paths` lists what arrived; a lasting fault counts after `from_request`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.upstream = urlsplit(upstream)
        self.once: deque[Fault] = deque()
        self.lasting: Fault | None = None
        self.from_request: int | None = None
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fail(self, *faults: Fault) -> None:
        """The next requests that a fault meets, in this order."""
        self.once.extend(faults)

    def fault_of(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.paths.append(f"{method} {path}")
            late = self.from_request is None or len(self.paths) > self.from_request
            if self.lasting is not None and late and self.lasting.meets(method, path):
                return self.lasting
            if self.once and self.once[0].meets(method, path):
                return self.once.popleft()
            return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what this is for."""


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        """Silent."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault_of(self.command, self.path)
        if fault is None:
            self._send(*self._upstream(body))
            return
        if self.server.over.wait(fault.delay):
            self.close_connection = True
            return
        if fault.answer is not None:
            status, text = fault.answer
            self._send(status, {"Content-Type": "application/xml", **fault.headers}, text.encode())
        elif fault.reset:
            self._reset()
        elif fault.lost:
            self._upstream(body)
            self._reset()
        else:
            self._send(*self._upstream(body))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815 - the base's names

    def _upstream(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        to = self.server.upstream
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=30)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        skipped = {"connection", "transfer-encoding", "content-length"}
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in skipped:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


@contextmanager
def proxy_before(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before a store's URL, closed at the end."""
    proxy = FaultProxy(upstream)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        proxy.shutdown()
        thread.join()
        proxy.server_close()
