"""Connections to the source's database: one driver for what is asked, one for rows."""

import ctypes
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import psycopg
from adbc_driver_postgresql import dbapi as untyped  # pyright: ignore[reportMissingTypeStubs]
from psycopg.sql import Composed

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.postgres.errors import translated

_adbc: Any = untyped
_SETTINGS: Mapping[str, str] = {
    # Names are written in full; texts of values must not depend on who connects.
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "max_parallel_workers_per_gather": "0",
    # It took longer than the few changes of a large table.
    "jit": "off",
    "transaction_read_only": "on",
    # What a policy hides must not go unnoticed.
    "row_security": "off",
}
LOCK_TIMEOUT = "10s"
"""How long a table may be locked before that is told: the others are not to wait for it."""

AS_THEY_LIE: Mapping[str, str] = {"enable_indexscan": "off", "synchronize_seqscans": "off"}
"""Settings of who reads rows: an index that is gone through would give its own order."""
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FORM = "Write postgresql://user@host:5432/database, and the password into CIO_SOURCE_PASSWORD."


@dataclass(frozen=True)
class Server:
    """A database by its URL. `password`, if given, tells the secret, at every connection anew."""

    url: str = field(repr=False)
    password: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    _idle: list[tuple[str, Any]] = field(
        default_factory=list[tuple[str, Any]], init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            raise InvalidConfig("The source's URL cannot be read.", _FORM) from None
        if parts.netloc.count("@") > 1 or not parts.path.strip("/"):
            raise InvalidConfig("The source's URL cannot be read.", _FORM)

    def __str__(self) -> str:
        """Where it is, without a secret."""
        parts = urlsplit(self.url)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
        return f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"

    @property
    def database(self) -> str:
        """The name of the database."""
        return unquote(urlsplit(self.url).path.strip("/"))

    def _whole(self) -> str:
        if self.password is None:
            return self.url
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        user = parts.username or ""
        login = f"{user}:{quote(self.password(), safe='')}@"
        return urlunsplit(parts._replace(netloc=login + host))

    @contextmanager
    def asked(self) -> Generator["Questions"]:
        """A connection for questions. Raises SourceUnavailable, SourceError if there is none."""
        with self._lent("asked", self._connected) as connection:
            yield Questions(connection)

    @contextmanager
    def reading(self, place: str) -> Generator["Rows"]:
        """A connection for rows, all of them as of one moment; see `asked`.

        From before that moment on nobody empties the relation at `place`, or writes it anew: what
        a TRUNCATE removes, snapshots from before it do not see either.
        """
        with self._lent("reading", self._read) as connection, connection.cursor() as cursor:
            cursor.execute(_BEGIN)
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            cursor.execute(f"LOCK TABLE {place} IN ACCESS SHARE MODE")
            # The snapshot is taken here, once nobody empties the table any more.
            cursor.execute(_local({**_SETTINGS, **AS_THEY_LIE}))
            yield Rows(cursor)
            cursor.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Generator[psycopg.Connection[Any]]:
        """A connection that may change the database, with the rights of the URL's user."""
        with self._connected() as connection:
            yield connection

    def _connected(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                self._whole(),
                autocommit=True,
                application_name="cio-pipeline",
                # A pooler may give each transaction another session.
                prepare_threshold=None,
                cursor_factory=psycopg.ClientCursor,
            )
        except psycopg.Error as error:
            raise translated(error, "cio.tables") from None

    def _read(self) -> Any:
        _give_back()
        try:
            return _adbc.connect(self._whole(), autocommit=True)
        except _adbc.Error as error:
            raise translated(error, "cio.tables") from None

    @contextmanager
    def _lent(self, kind: str, connect: Callable[[], Any]) -> Generator[Any]:
        """A connection that was left, if it still works, else a new one; kept if all goes well.

        Connecting takes longer than most of what is asked.
        """
        connection = self._left(kind) or connect()
        try:
            yield connection
        except BaseException:
            # What is closed in the middle of a stream complains; nothing is lost by that.
            with suppress(Exception):
                connection.close()
            raise
        self._idle.append((kind, connection))

    def _left(self, kind: str) -> Any:
        for found in [one for one in self._idle if one[0] == kind]:
            try:
                self._idle.remove(found)
            except ValueError:  # another thread was faster
                continue
            try:
                with found[1].cursor() as cursor:
                    cursor.execute("SELECT 1")
            except (psycopg.Error, _adbc.Error, OSError):
                with suppress(Exception):
                    found[1].close()
            else:
                return found[1]
        return None

    def close(self) -> None:
        """Give back all connections."""
        while self._idle:
            _, connection = self._idle.pop()
            connection.close()

    def __del__(self) -> None:
        """Nobody closes a source: it goes with the last who knows it."""
        self.close()


class Asked(Protocol):
    """What may be asked: a connection, or one that sets its session for each question."""

    def execute(self, query: Any, params: Any = None) -> psycopg.Cursor[Any]:
        """The answer to a question."""
        ...


@dataclass(frozen=True)
class Questions:
    """Questions, each a transaction with our settings: nothing is left in a pooler's session."""

    _connection: psycopg.Connection[Any]

    def execute(self, query: Any, params: Any = None) -> psycopg.Cursor[Any]:
        """The answer to a question; raises the driver's errors."""
        cursor = psycopg.ClientCursor(self._connection)
        # Several statements at once are one transaction, and one way there and back.
        settings = _local({**_SETTINGS, "lock_timeout": LOCK_TIMEOUT})
        cursor.execute(f"{settings}; {cursor.mogrify(query, params)}".encode())
        while cursor.nextset():
            pass
        return cursor


_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def _give_back() -> None:
    """Have the C library return what batches took, as glibc would keep it for each thread."""
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_ARENA_MAX, 1)
        option(_MMAP_THRESHOLD, 2**20)


def _local(settings: Mapping[str, str]) -> str:
    """A question that sets some settings until the end of its transaction."""
    calls = (f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    return f"SELECT {', '.join(calls)}"


@dataclass(frozen=True)
class Rows:
    """Streams of rows, one at a time: a second one ends the first."""

    _cursor: Any

    def values(self, query: Composed | str) -> Iterator[Mapping[str, Any]]:
        """The few rows of a question, by the names of columns."""
        for batch in self.of(query if isinstance(query, str) else query.as_string()):
            yield from batch.to_pylist()

    def of(self, statement: str) -> Generator[Any]:
        """Arrow batches of a statement without parameters: with one, all came as one batch."""
        self._cursor.execute(statement)
        reader = self._cursor.fetch_record_batch()
        yield from cast("Generator[Any]", reader)
