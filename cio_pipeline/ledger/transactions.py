"""One transaction at a time, tried again when others were in the way."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cio_pipeline.ledger.connect import BEGIN
from cio_pipeline.ledger.failures import busy, ledger_busy, translated

TRIES = 4
_PAUSE_SECONDS = 0.05

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Part = TypeVar("_Part", bound="_OfLedger")


class Database:
    """The ledger's database. `name` is what messages call it, without secrets.

    Both methods run `work` in one transaction, from the start again if it was locked out, lost
    a deadlock or could not be serialised: `work` must have no other effects. They raise
    LedgerBusy, LedgerError (RowConflict if a constraint is broken) or DiskFull.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._reader = engine
        if not self.is_sqlite:
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        # On SQLite it has the only write lock from the start: a lock asked for later, after a
        # read, could not be waited for.
        self._writer = engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """The result of reading everything at one moment."""
        return self._run(self._reader, work)

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """The result of a transaction that is committed if `work` returns."""
        return self._run(self._writer, work)

    def _run(self, engine: Engine, work: Callable[[Connection], _T]) -> _T:
        for attempt in range(TRIES):
            try:
                with engine.begin() as connection:
                    return work(connection)
            except PoolTimeout as error:
                raise ledger_busy(self.name) from error
            except DBAPIError as error:
                if not busy(error):
                    raise translated(error, self.name) from error
            time.sleep(_PAUSE_SECONDS * 2**attempt)
        raise ledger_busy(self.name)


class _OfLedger(Protocol):
    """A part of the ledger."""

    @property
    def database(self) -> Database:
        """Where it is kept."""
        ...


def reading(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
) -> Callable[Concatenate[_Part, _P], _T]:
    """A verb of a part, run as `Database.read` runs its work: callers give no connection."""

    @wraps(verb)
    def read(part: _Part, *given: _P.args, **named: _P.kwargs) -> _T:
        return part.database.read(lambda connection: verb(part, connection, *given, **named))

    return read


def writing(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
) -> Callable[Concatenate[_Part, _P], _T]:
    """A verb of a part, run as `Database.write` runs its work: callers give no connection."""

    @wraps(verb)
    def write(part: _Part, *given: _P.args, **named: _P.kwargs) -> _T:
        return part.database.write(lambda connection: verb(part, connection, *given, **named))

    return write
