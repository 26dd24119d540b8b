"""One transaction at a time, tried again when others were in the way."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cio_pipeline.ledger.connect import BEGIN
from cio_pipeline.ledger.failures import busy, ledger_busy, translated

TRIES = 4
_PAUSE_SECONDS = 0.05

_T = TypeVar("_T")


@dataclass(frozen=True)
class Database:
    """The ledger's database. `name` is what messages call it, without secrets.

    Both methods run `work` in one transaction, from the start again if it was locked out, lost
    a deadlock or could not be serialised: `work` must have no other effects. They raise
    LedgerBusy, LedgerError (RowConflict if a constraint is broken) or DiskFull.
    """

    engine: Engine = field(repr=False)
    name: str

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; PostgreSQL otherwise."""
        return self.engine.dialect.name == "sqlite"

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """The result of reading everything at one moment."""
        if self.is_sqlite:
            return self._run(self.engine, work)
        one_moment = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        return self._run(one_moment, work)

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """The result of a transaction that is committed if `work` returns.

        On SQLite it has the only write lock from the start: a lock asked for later, after a
        read, could not be waited for.
        """
        return self._run(self.engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"}), work)

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
