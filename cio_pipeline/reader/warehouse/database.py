"""The warehouse's file, and how names are written in its SQL."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from polars.exceptions import PolarsError

from cio_pipeline.extras import needs
from cio_pipeline.model.errors import InvalidConfig, WarehouseBusy, WarehouseUnusable

RECORDS = "_cio"
"""The schema in which stands what was loaded."""

_LOCKED = "set lock on file"

_KEPT = frozenset({"information_schema", "pg_catalog", "main", "temp", "system", RECORDS})


class Database(Protocol):
    """What is used of a connection to DuckDB."""

    def execute(self, query: str, parameters: Any = None, /) -> Any:
        """Run a statement; what it gives has `fetchall`."""
        ...

    def register(self, view_name: str, python_object: Any, /) -> Any:
        """Let SQL read a frame under a name."""
        ...

    def unregister(self, view_name: str, /) -> Any:
        """Forget it."""
        ...


@contextmanager
def opened(path: Path) -> Generator[Database]:
    """The warehouse in a file, which is made if it is not there, and gone again if it stays empty.

    Raises WarehouseBusy if another program has it open, WarehouseUnusable if it is none, and
    InvalidConfig if DuckDB is not installed.
    """
    duckdb = needs("duckdb")
    made = not path.exists()
    if not made and not path.is_file():
        raise _named(path, "")
    try:
        # To DuckDB, `:memory:` and `md:x` are no files unless they have a folder before them.
        connection = duckdb.connect(str(path.absolute()))
    except duckdb.Error as error:
        raise _named(path, str(error)) from None
    try:
        if not path.exists():
            # Whoever made it found nothing to load, and took it away before they let go of it.
            raise _named(path, _LOCKED)
        prepare(connection)
        yield connection
    finally:
        if made and _is_empty(connection):
            path.unlink(missing_ok=True)
        connection.close()


def _is_empty(db: Database) -> bool:
    """Whether it has no table but those of what was loaded: a load makes tables of its own."""
    with suppress(needs("duckdb").Error):
        found = db.execute(
            "SELECT count(*) FROM duckdb_tables() "
            "WHERE database_name = current_database() AND schema_name <> ?",
            [RECORDS],
        ).fetchall()
        return bool(found == [(0,)])
    return False


def prepare(db: Database) -> None:
    """What loading asks of a connection: times are UTC, and rows may be written in any order."""
    db.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")


@contextmanager
def transaction(db: Database) -> Generator[None]:
    """All that is done within, or nothing of it; raises WarehouseUnusable for what it refuses."""
    try:
        db.execute("BEGIN")
        yield
        db.execute("COMMIT")
    except (needs("duckdb").Error, PolarsError) as error:
        _roll_back(db)
        # Its text may quote a row.
        raise WarehouseUnusable(
            f"The warehouse does not take it ({type(error).__name__}).",
            "Look whether its disk is full, whether tables of yours are in the schema, and with "
            "`cio-pipeline verify` whether the bucket is whole.",
        ) from None
    except BaseException:
        _roll_back(db)
        raise


def _roll_back(db: Database) -> None:
    # A commit that failed, as on a full disk, has ended the transaction, and perhaps the database.
    with suppress(needs("duckdb").Error):
        db.execute("ROLLBACK")


def _named(path: Path, text: str) -> WarehouseBusy | WarehouseUnusable:
    if _LOCKED in text.lower():
        return WarehouseBusy(
            f"Another program has '{path.name}' open.", "Close it there, then load again."
        )
    if not path.parent.is_dir():
        return WarehouseUnusable(f"There is no folder '{path.parent}'.", "Make it, or correct it.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return WarehouseUnusable(
            f"'{path.name}' cannot be written.", "Name another file, or mend its rights."
        )
    return WarehouseUnusable(
        f"'{path.name}' is no file that this DuckDB can open.",
        "Name another file, or install the DuckDB that it was written with.",
    )


def quoted(*names: str) -> str:
    """Names as SQL has them, joined by dots."""
    return ".".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names)


def literal(text: str) -> str:
    """A text as SQL has it."""
    return f"'{text.replace(chr(39), chr(39) * 2)}'"


def require_apart(db: Database, schema: str) -> None:
    """Raise InvalidConfig for a schema that is called like the file.

    To DuckDB `acme.people` is ambiguous then, also for whoever opens the file later.
    """
    ((name,),) = db.execute("SELECT current_database()").fetchall()
    if name.lower() == schema.lower():
        raise InvalidConfig(
            f"The file and its schema '{schema}' have one name, which DuckDB cannot tell apart.",
            "Give the file another name"
            + (", or the schema with --schema." if schema != RECORDS else "."),
        )


def default_schema(name: str) -> str:
    """A name as SQL likes them, that DuckDB does not keep for itself."""
    plain = name.replace("-", "_")
    return f"{plain}_feed" if plain.lower() in _KEPT else plain


def checked_schema(name: str) -> str:
    """A schema's name, lower case; raises InvalidConfig for what DuckDB keeps for itself.

    To DuckDB `Acme` and `acme` are one schema.
    """
    if not name or name.lower() in _KEPT:
        raise InvalidConfig(f"'{name}' is no name for a schema.", "Give another with --schema.")
    return name.lower()
