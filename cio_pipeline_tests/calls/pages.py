"""A small endpoint that gives pages of calls, and can be told to fail (docs/calls.md)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "s3cret token"  # noqa: S105 - of a server that lives for a test


@dataclass
class Pages:
    """Page n is asked for with cursor n, the first one with none; `trouble` comes before it."""

    pages: list[bytes] = field(default_factory=list[bytes])
    trouble: list[int | str] = field(default_factory=list[int | str])
    """Statuses to answer with, one a request, or `cut`: break off in the middle of a page."""

    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Cursor and status of each request."""

    url: str = ""


@contextmanager
def endpoint(pages: Pages) -> Iterator[Pages]:
    """The endpoint, while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, pages)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Nothing: requests are kept in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    pages.url = f"http://127.0.0.1:{server.server_port}/v1/calls"
    try:
        yield pages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, pages: Pages) -> None:
    cursor = parse_qs(urlsplit(handler.path).query).get("cursor", [""])[0]
    trouble = pages.trouble.pop(0) if pages.trouble else None
    number = int(cursor or 0)
    if handler.headers["Authorization"] != f"Bearer {TOKEN}":
        _send(handler, pages, cursor, 401)
    elif isinstance(trouble, int):
        _send(handler, pages, cursor, trouble)
    elif number >= len(pages.pages):
        _send(handler, pages, cursor, 204)
    else:
        body = pages.pages[number]
        headers = {"Next-Cursor": str(number + 1), "Content-Length": str(len(body))}
        sent = body[: len(body) // 2] if trouble == "cut" else body
        _send(handler, pages, cursor, 200, headers, sent)
        if trouble == "cut":
            handler.close_connection = True


def _send(  # noqa: PLR0917 - one line of an answer each
    handler: BaseHTTPRequestHandler,
    pages: Pages,
    cursor: str,
    status: int,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> None:
    pages.asked.append((cursor, status))
    handler.send_response(status)
    for name, value in (headers or {"Content-Length": "0"}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
