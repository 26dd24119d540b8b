"""Real servers that take alerts, or do not: web hooks and mail, on ports of this machine."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUS = {"well": 200, "moved": 302, "throttles": 429, "fails": 500, "refuses": 403}


@dataclass
class Hook:
    """A web hook; `mood` is a word of STATUS, or `hangs`."""

    port: int = 0
    mood: str = "well"
    paths: list[str] = field(default_factory=list[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """What apprise calls it, with a secret in it, and with little patience if it hangs."""
        patience = 0.2 if self.mood == "hangs" else 60
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/?rto={patience}&cto=60"

    @property
    def texts(self) -> list[str]:
        return [f"{one['title']}\n{one['message']}" for one in self.bodies]


ELSEWHERE = "/elsewhere"
"""Where a hook that has moved sends everybody."""

SECRET = "t0ps3cret-hook"  # noqa: S105 - of servers that live as long as a test


@contextmanager
def hook() -> Iterator[Hook]:
    """A server that keeps what it takes."""
    made = Hook()

    class Taking(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if made.mood == "well":
                made.bodies.append(json.loads(body))
            self._answer()

        def _answer(self) -> None:
            made.paths.append(self.path)
            if made.mood == "hangs":
                made.over.wait(60)
            there = self.path == ELSEWHERE
            self.send_response(200 if there else STATUS.get(made.mood, 200))
            if made.mood == "moved":
                self.send_header("Location", ELSEWHERE)
            self.send_header("Content-Length", "2")
            self.end_headers()
            # Whoever asked may have given up.
            with suppress(OSError):
                self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made
        finally:
            made.over.set()
            server.shutdown()
            thread.join()


@contextmanager
def mail() -> Iterator[tuple[int, list[str]]]:
    """A mail server's port, and the mails that it took."""
    taken: list[str] = []

    class Session(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                match line.split(" ")[0].upper():
                    case "EHLO":
                        self.say("250 test")
                    case "DATA":
                        self.say("354 go on")
                        taken.append("".join(iter(self._line, ".\r\n")))
                        self.say("250 taken")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 ok")

        def _line(self) -> str:
            return self.rfile.readline().decode()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1], taken
        finally:
            server.shutdown()
            thread.join()
