"""One page of an HTTP endpoint: whole or not at all, with as much patience as is told.

A page is whole if its end is known: by length, by chunks, or by the end that gzip writes. One that
breaks off is asked for again, as is what an endpoint cannot give for now.
"""

import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import BinaryIO, cast

import requests
from urllib3.exceptions import HTTPError

from cio_pipeline.model.errors import (
    CioError,
    PermissionMissing,
    SourceError,
    SourceUnavailable,
    WrongCredentials,
)

NEXT = "Next-Cursor"
"""The response header that holds the cursor of what follows the page."""

_WORTH_A_RETRY = (429, 500, 502, 503, 504)
_TIMEOUT = (10, 60)
"""Seconds to connect, and between two pieces of a page."""

_PIECE = 2**20
_IN_MEMORY = 8 * 2**20
_GZIP = 31
_MARKUP = ("text/html", "application/xhtml+xml", "text/xml", "application/xml")
_SEE_DOCS = "docs/calls.md says what an endpoint has to answer."


def _nobody(_: str) -> None:
    """Hears nothing."""


@dataclass(frozen=True)
class RetryRules:
    """How long an endpoint is waited for: so many `tries` for each kind of trouble with a page.

    `backoff` seconds before the second try, twice as many before each further one; what the
    endpoint asks for with Retry-After instead, up to `longest` seconds. `say` is told of each wait.
    """

    tries: int = 5
    backoff: float = 1.0
    longest: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = _nobody

    def wait(self, tried: int, again: "_Again") -> None:
        """Wait before another try; raises SourceUnavailable if that would be too long."""
        asked = again.after
        if asked is not None and asked > self.longest:
            raise SourceUnavailable(
                f"The endpoint asks to be left alone for {_spelled(asked)}.", "Pull again then."
            )
        seconds = self.backoff * 2 ** (tried - 1) if asked is None else asked
        why = "" if asked is None else ", as it asks"
        self.say(
            f"{again.error.message} Waiting {_spelled(seconds)}{why} "
            f"before try {tried + 1} of {self.tries}."
        )
        self.sleep(seconds)


class _Again(Exception):
    """A try failed, and another one may not; `after` are the seconds that the endpoint asks for."""

    def __init__(self, error: CioError, after: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.after = after


@contextmanager
def fetched(
    session: requests.Session, url: str, cursor: str, patience: RetryRules
) -> Generator[tuple[str, BinaryIO]]:
    """The cursor of what follows, empty if none is told, and the body of the page at a cursor.

    Raises WrongCredentials, PermissionMissing, SourceUnavailable (after all tries), SourceError.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        body = cast("BinaryIO", spooled)
        following = _patiently(session, url, cursor, body, patience)
        body.seek(0)
        yield following, body


def _patiently(
    session: requests.Session, url: str, cursor: str, body: BinaryIO, patience: RetryRules
) -> str:
    tried: Counter[str] = Counter()
    while True:
        body.seek(0)
        body.truncate()
        try:
            return _fetch(session, url, cursor, body)
        except _Again as again:
            trouble = again.error.message
            tried[trouble] += 1
            if tried[trouble] >= patience.tries:
                raise again.error from None
            patience.wait(tried[trouble], again)


def _fetch(session: requests.Session, url: str, cursor: str, body: BinaryIO) -> str:
    asked = {"cursor": cursor} if cursor else {}
    try:
        with session.get(
            url, params=asked, stream=True, timeout=_TIMEOUT, allow_redirects=False
        ) as answer:
            _require_page(answer)
            if answer.status_code != HTTPStatus.NO_CONTENT:
                # Not `writelines`: a spooled file looks at its limit only after all of them.
                body.writelines(_whole(answer))
            return answer.headers.get(NEXT, "").strip()
    except (requests.exceptions.SSLError, requests.exceptions.InvalidHeader) as error:
        raise _unreachable(SourceError, error) from None
    except (requests.ConnectionError, requests.Timeout, HTTPError, zlib.error) as error:
        raise _Again(_unreachable(SourceUnavailable, error)) from None
    except requests.RequestException as error:
        raise _unreachable(SourceError, error) from None


def _require_page(answer: requests.Response) -> None:
    status = answer.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        raise WrongCredentials("The endpoint does not know the token.", "Give it the right one.")
    if status == HTTPStatus.FORBIDDEN:
        raise PermissionMissing(
            "The endpoint forbids the token to read calls.", "Ask its owner for that right."
        )
    if status in _WORTH_A_RETRY:
        error = SourceUnavailable(f"The endpoint answered {status}.", "Pull again later.")
        raise _Again(error, _retry_after(answer.headers.get("Retry-After", "")))
    if status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
        raise SourceError(f"The endpoint answered {status}.", "Check its URL, and docs/calls.md.")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if status == HTTPStatus.OK and kind in _MARKUP:
        raise SourceError(
            f"The endpoint answered with {kind}, which holds no calls.",
            "Check its URL; a login page or a proxy may stand before it.",
        )


def _retry_after(text: str) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _whole(answer: requests.Response) -> Iterator[bytes]:
    """The pieces of a body; raises what urllib3 raises, or zlib.error, if it does not end."""
    headers = answer.headers
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    pieces = cast("Iterator[bytes]", answer.raw.stream(_PIECE, decode_content=False))
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    end_told = chunked or "Content-Length" in headers
    if encoding in {"gzip", "x-gzip"}:
        return _gunzipped(pieces, may_be_empty=end_told)
    if encoding != "identity":
        raise SourceError(f"The endpoint answered in {encoding}, not in gzip or plain.", _SEE_DOCS)
    if not end_told:
        raise SourceError(
            "The endpoint does not tell where a page ends, so that one that was cut off would "
            "count as whole.",
            "It has to send Content-Length, or chunks. " + _SEE_DOCS,
        )
    return pieces


def _gunzipped(pieces: Iterator[bytes], *, may_be_empty: bool) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP)
    begun = not may_be_empty
    for piece in pieces:
        rest = piece
        while rest:
            if member.eof:
                member = zlib.decompressobj(_GZIP)
            begun = True
            text = member.decompress(rest, _PIECE)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            yield text
    yield member.flush()
    if begun and not member.eof:
        raise zlib.error("unfinished")


def _unreachable(kind: type[CioError], error: Exception) -> CioError:
    """The exception's text may hold the URL, and a cursor in it: only its type is told."""
    return kind(f"The endpoint cannot be read ({type(error).__name__}).", "Pull again later.")


def _spelled(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} minutes"
