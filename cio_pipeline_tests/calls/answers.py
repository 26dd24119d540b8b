"""An endpoint that answers to the byte as it is told, for what real ones and proxies do."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """Where it listens, and the cursor of each request."""

    url: str
    cursors: list[str] = field(default_factory=list[str])


@contextmanager
def answering(give: Callable[[str], bytes]) -> Iterator[Asked]:
    """An endpoint that sends `give(cursor)` and closes the connection."""
    asked = Asked("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cursor = parse_qs(urlsplit(self.path).query).get("cursor", [""])[0]
            asked.cursors.append(cursor)
            self.wfile.write(give(cursor))
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Nothing: requests are kept in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    asked.url = f"http://127.0.0.1:{server.server_port}/v1/calls"
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def calls(*events: str) -> bytes:
    """NDJSON of track calls."""
    lines = (json.dumps({"type": "track", "event": event}) for event in events)
    return "".join(f"{line}\n" for line in lines).encode()


def answer(body: bytes = b"", status: int = 200, /, **headers: str) -> bytes:
    """A whole answer; `next` is the cursor of what follows, `_` in names of headers a hyphen."""
    told = {
        "Content-Length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return _head(status, told) + body


def without_length(body: bytes, **headers: str) -> bytes:
    """An answer that ends where the connection does."""
    return _head(200, {k.replace("_", "-"): v for k, v in headers.items()}) + body


def chunked(body: bytes, end: bytes = b"0\r\n\r\n", /, **headers: str) -> bytes:
    """An answer in chunks of some bytes, and the empty one that is its end."""
    parts = [body[at : at + 16] for at in range(0, len(body), 16)]
    text = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return without_length(text + end, Transfer_Encoding="chunked", **headers)


def zipped(body: bytes) -> bytes:
    """Gzip, in two members as some servers write it."""
    return gzip.compress(body[:10], mtime=0) + gzip.compress(body[10:], mtime=0)


def _head(status: int, headers: dict[str, str]) -> bytes:
    named = {("Next-Cursor" if name == "next" else name): v for name, v in headers.items()}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode()
