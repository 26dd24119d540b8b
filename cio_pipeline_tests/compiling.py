"""SQL that was compiled for one SQLite file serves those of all tests.

SQLAlchemy keeps what it compiled by dialect and statement, in each engine for itself. Compiling is
a tenth of the time of a test that has a ledger of its own, and more where Dagster runs, which makes
an engine for each of its statements. The dialect of this module is the same for all files.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_COMPILED: dict[Any, Any] = {}


class Same(SQLiteDialect_pysqlite):
    """SQLite through Python's own driver."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


def compile_once() -> None:
    """From now on, for this process."""
    registry.register("sqlite", __name__, Same.__name__)
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    if isinstance(connection.dialect, Same):
        connection.execution_options(compiled_cache=_COMPILED)
