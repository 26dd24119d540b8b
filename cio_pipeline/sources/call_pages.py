"""Calls from an HTTP endpoint, page by page (seed 000: endpoint and token; docs/calls.md).

A page is fetched whole, then committed with the cursor of the next one: whenever a pull dies, the
next one goes on at the first page that was not committed.
"""

import hashlib
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import BinaryIO
from urllib.parse import urlsplit

import polars as pl
import requests

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig, SourceError
from cio_pipeline.sources.append import CursorAt, Mark, append_rows, last_mark
from cio_pipeline.sources.call_lines import CallLines
from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.known_rows import KnownRows, known_rows
from cio_pipeline.sources.page_fetch import RetryRules, fetched

EMPTY_IN_A_ROW = 100
"""After so many pages without a line, each with a new cursor, a pull has nothing more for now."""

_TABLE = SOURCE_TABLES["calls"]
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Endpoint:
    """Where calls are asked for; the token is a secret, and shown nowhere."""

    url: str
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Endpoint({self.url!r})"

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise InvalidConfig(
                "The endpoint is no http:// or https:// URL.", "Write it without a user in it."
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InvalidConfig("The endpoint would get the token unencrypted.", "Use https://.")
        if not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise InvalidConfig(
                "The token is empty, or has characters that no HTTP header can hold.",
                "Give it as one line of ASCII.",
            )

    def reader(self, workspace_id: int) -> str:
        """What the source calls whoever reads this endpoint for a workspace."""
        digest = hashlib.sha256(f"{self.url}\n{workspace_id}".encode()).hexdigest()
        return f"cio-calls-{digest[:16]}"


@dataclass(frozen=True)
class Page:
    """What came of one page; `cursor` is where a pull goes on, `known` calls were there already."""

    number: int
    cursor: str
    rows: int
    bad: tuple[BadLine, ...]
    known: int = 0

    @property
    def lines(self) -> int:
        """The lines of the page that hold something."""
        return self.rows + self.known + len(self.bad)


def pull(
    endpoint: Endpoint,
    workspace_id: int,
    uri: str,
    received: datetime,
    storage_options: dict[str, str] | None = None,
    *,
    cursor: str | None = None,
    patience: RetryRules | None = None,
) -> Iterator[Page]:
    """Commit pages until there is nothing more, from where the last pull ended or from `cursor`.

    Raises WrongCredentials, PermissionMissing, SourceUnavailable (after all tries, or as another
    pull was faster), SourceError. Pages that were committed until then stay.
    """
    pulling = _Pulling(workspace_id, uri, received, storage_options or {}, again=cursor is not None)
    reader = endpoint.reader(workspace_id)
    at = last_mark(uri, _TABLE, reader, storage_options, cursor) or Mark(reader, 0, "")
    _require_way_on(at)
    asked: set[str] = set()
    empty = 0
    with _session(endpoint) as session:
        while empty < EMPTY_IN_A_ROW:
            asked.add(at.cursor)
            with fetched(session, endpoint.url, at.cursor, patience or RetryRules()) as found:
                step = _step(at, found[0], asked)
                page = pulling.store(at, step, found[1])
            if page.lines or step.place is CursorAt.NEXT:
                yield page
            _require_way_on(step)
            if step.place is CursorAt.LAST:
                return
            empty = 0 if page.lines else empty + 1
            at = step


def _step(at: Mark, following: str, asked: Collection[str]) -> Mark:
    """Where a pull is after the page at a mark, if the endpoint says that `following` follows."""
    if following in {"", at.cursor}:
        return replace(at, number=at.number + 1, place=CursorAt.LAST)
    if following in asked:
        return replace(at, number=at.number + 1, place=CursorAt.CIRCLE)
    return replace(at, number=at.number + 1, cursor=following, place=CursorAt.NEXT)


def _require_way_on(at: Mark) -> None:
    if at.place is CursorAt.CIRCLE:
        raise SourceError(
            "The endpoint's cursors go round in a circle: what follows was asked for before.",
            "Have the endpoint mended, then begin with --cursor behind what was pulled.",
        )


@dataclass(frozen=True)
class _Pulling:
    """Where pages go; `again` if all may hold calls that are there already."""

    workspace_id: int
    uri: str
    received: datetime
    options: dict[str, str]
    again: bool

    def store(self, at: Mark, step: Mark, body: BinaryIO) -> Page:
        """Commit the calls of the page at a mark, together with the step behind it."""
        lines = CallLines(self.workspace_id, self.received)
        calls = _calls(lines, at, step, body)
        known = self._known() if self.again or at.place is CursorAt.LAST else None
        new = calls if known is None else known.without(calls)
        first = next(new, None)
        if first is not None or step.place is not CursorAt.LAST:
            rows = chain(() if first is None else (first,), new)
            append_rows(self.uri, _TABLE, rows, storage_options=self.options, mark=step)
        met = 0 if known is None else known.met
        return Page(step.number, step.cursor, lines.rows - met, tuple(lines.bad), met)

    def _known(self) -> KnownRows:
        return known_rows(self.uri, _TABLE, self.options)


def _calls(lines: CallLines, at: Mark, step: Mark, body: BinaryIO) -> Iterator[pl.DataFrame]:
    """The calls of a page; raises SourceError for one that holds something else."""
    # The first page was asked for with None once, which is in the identities of its calls.
    cursor = at.cursor or None
    yield from lines.read_from(f"page {cursor or 'one'}", f"{at.reader}:{cursor}", body)
    if lines.bad and not lines.typed:
        way_on = (
            "" if step.place is CursorAt.LAST else f" --cursor {step.cursor} goes on behind it."
        )
        raise SourceError(
            f"None of the {len(lines.bad):,} line(s) of a page is a call; "
            f"the first {lines.bad[0].reason}.",
            f"Check the endpoint's URL and what it answers.{way_on}",
        )


@contextmanager
def _session(endpoint: Endpoint) -> Generator[requests.Session]:
    with requests.Session() as session:
        session.headers.update(
            {
                "Authorization": f"Bearer {endpoint.token}",
                "Accept": "application/x-ndjson",
                "Accept-Encoding": "gzip",
            }
        )
        # The environment's netrc and proxies would replace the token, or see it.
        session.trust_env = False
        yield session
