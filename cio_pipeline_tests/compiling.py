"""SQL that was compiled for one ledger serves those of all tests.

SQLAlchemy compiles each statement once per engine, which is a tenth of the time of a test that has
a ledger of its own: engines of SQLite do not differ but in their files.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_COMPILED: dict[Any, Any] = {}


def compile_once() -> None:
    """From now on, for this process."""
    # What is compiled is kept by dialect and statement, and each engine has a dialect of its own.
    SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)
    SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))  # pyright: ignore[reportIncompatibleVariableOverride]
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execution_options(compiled_cache=_COMPILED)
