"""Calls from an HTTP endpoint, page by page (seed 000: endpoint and token; docs/calls.md).

A page is fetched whole, then committed with the cursor of the next one: whenever a pull dies, the
next one goes on at the first page that was not committed.
"""

import hashlib
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import (
    InvalidConfig,
    PermissionMissing,
    SourceError,
    SourceUnavailable,
    WrongCredentials,
)
from cio_pipeline.sources.append import Mark, append, last_mark
from cio_pipeline.sources.call_lines import CallLines
from cio_pipeline.sources.json_lines import BadLine

NEXT = "Next-Cursor"
"""The response header that holds the cursor of what follows the page."""

TRIES = 5
_WORTH_A_RETRY = (429, 500, 502, 503, 504)
_TIMEOUT = (10, 60)
"""Seconds to connect, and between two pieces of a page."""

_IN_MEMORY = 8 * 2**20
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Endpoint:
    """Where calls are asked for; the token is a secret, and shown nowhere."""

    url: str
    token: str
    backoff: float = 1.0

    def __repr__(self) -> str:
        """Without the token."""
        return f"Endpoint({self.url!r})"

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise InvalidConfig(
                "The endpoint is no http:// or https:// URL.", "Write it without a user in it."
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InvalidConfig("The endpoint would get the token unencrypted.", "Use https://.")

    def reader(self, workspace_id: int) -> str:
        """What the source calls whoever reads this endpoint for a workspace."""
        digest = hashlib.sha256(f"{self.url}\n{workspace_id}".encode()).hexdigest()
        return f"cio-calls-{digest[:16]}"


@dataclass(frozen=True)
class Page:
    """What came of one page; `cursor` is that of what follows."""

    number: int
    cursor: str
    rows: int
    bad: tuple[BadLine, ...]


def pull(
    endpoint: Endpoint,
    workspace_id: int,
    uri: str,
    received: datetime,
    storage_options: dict[str, str] | None = None,
    *,
    cursor: str | None = None,
) -> Iterator[Page]:
    """Commit pages until there is nothing more, from where the last pull ended or from `cursor`.

    Raises WrongCredentials, PermissionMissing, SourceUnavailable (after TRIES tries), SourceError.
    Pages that were committed until then stay.
    """
    table, reader = SOURCE_TABLES["calls"], endpoint.reader(workspace_id)
    mark = last_mark(uri, table, reader, storage_options, cursor)
    number, at = (mark.number, mark.cursor) if mark else (0, None)
    with _session(endpoint) as session:
        while True:
            with _page(session, endpoint.url, at) as (following, body):
                if body is None:
                    return
                if following is None or following == at:
                    raise SourceError(
                        f"A page of the endpoint has no {NEXT} header, or that of itself.",
                        "docs/calls.md says what an endpoint has to answer.",
                    )
                lines = CallLines(workspace_id, received)
                batches = lines.read_from(f"page {at or 'one'}", f"{reader}:{at}", body)
                step = Mark(reader, number + 1, following)
                append(uri, table, batches, storage_options=storage_options, mark=step)
            number += 1
            at = following
            yield Page(number, following, lines.rows, tuple(lines.bad))


@contextmanager
def _session(endpoint: Endpoint) -> Generator[requests.Session]:
    retry = Retry(
        TRIES - 1,
        backoff_factor=endpoint.backoff,
        status_forcelist=_WORTH_A_RETRY,
        raise_on_status=False,
        respect_retry_after_header=True,
    )
    with requests.Session() as session:
        session.mount(endpoint.url, HTTPAdapter(max_retries=retry))
        session.headers.update(
            {"Authorization": f"Bearer {endpoint.token}", "Accept": "application/x-ndjson"}
        )
        # The environment's netrc and proxies would replace the token, or see it.
        session.trust_env = False
        yield session


@contextmanager
def _page(
    session: requests.Session, url: str, cursor: str | None
) -> Generator[tuple[str | None, BinaryIO | None]]:
    """The cursor of what follows, and a page's body; no body if there is nothing more."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        body = cast("BinaryIO", spooled)
        answer = _fetch_whole(session, url, cursor, body)
        following = answer.headers.get(NEXT)
        if answer.status_code == HTTPStatus.NO_CONTENT or not body.tell():
            yield following, None
            return
        body.seek(0)
        yield following, body


def _fetch_whole(
    session: requests.Session, url: str, cursor: str | None, body: BinaryIO
) -> requests.Response:
    """Fetch a page; one that breaks off is asked for again, which the session does not do."""
    for _ in range(TRIES - 1):
        try:
            return _fetch(session, url, cursor, body)
        except requests.exceptions.ChunkedEncodingError:
            continue
        except requests.RequestException as error:
            raise _unreachable(error) from None
    try:
        return _fetch(session, url, cursor, body)
    except requests.RequestException as error:
        raise _unreachable(error) from None


def _fetch(
    session: requests.Session, url: str, cursor: str | None, body: BinaryIO
) -> requests.Response:
    body.seek(0)
    body.truncate()
    asked = {} if cursor is None else {"cursor": cursor}
    with session.get(
        url, params=asked, stream=True, timeout=_TIMEOUT, allow_redirects=False
    ) as answer:
        _require_ok(answer.status_code)
        body.writelines(answer.iter_content(2**20))
    return answer


def _require_ok(status: int) -> None:
    if status == HTTPStatus.UNAUTHORIZED:
        raise WrongCredentials("The endpoint does not know the token.", "Give it the right one.")
    if status == HTTPStatus.FORBIDDEN:
        raise PermissionMissing(
            "The endpoint forbids the token to read calls.", "Ask its owner for that right."
        )
    if status in _WORTH_A_RETRY:
        raise SourceUnavailable(
            f"The endpoint answered {status}, {TRIES} times.", "Pull again later."
        )
    if status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
        raise SourceError(f"The endpoint answered {status}.", "Check its URL, and docs/calls.md.")


def _unreachable(error: requests.RequestException) -> SourceUnavailable:
    """The exception's text may hold the URL, and a cursor in it: only its type is told."""
    return SourceUnavailable(
        f"The endpoint cannot be read ({type(error).__name__}).", "Pull again later."
    )
