"""The tables of a feed in the warehouse, with their views and comments.

A table has all rows as they were delivered, and for each the number of its file and its place in
there. The view `<table>_newest` has the newest row of everything that rows speak of (D1).
"""

from collections.abc import Iterable, Iterator, Sequence

from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.model.errors import WarehouseUnusable
from cio_pipeline.reader.tables import FILE, NEWEST, ROW, Table
from cio_pipeline.reader.warehouse.database import Database, literal, quoted, require_apart
from cio_pipeline.reader.warehouse.records import has_files

_TYPES = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.STRING: "VARCHAR",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
    ColumnType.STRINGS: "VARCHAR[]",
}
_ADDED = {
    FILE: "The number of the file that the row came in, see _cio.files.",
    ROW: "Its place in that file, from 0 on.",
}


def make_tables(db: Database, schema: str, tables: Sequence[Table]) -> None:
    """Make what is not there: tables, and columns that a later version added.

    Raises InvalidConfig if the file is called like the schema, WarehouseUnusable if a table was
    removed that had rows: they would not come again.
    """
    require_apart(db, schema)
    there = _columns(db, schema)
    statements = [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"]
    for table in tables:
        known = there.get(table.name)
        new = [one for one in table.columns if known is not None and one.name not in known]
        if known is None and has_files(db, schema, table.name):
            raise WarehouseUnusable(
                f"The table '{schema}.{table.name}' was removed, and what it held is loaded once.",
                "`--rebuild` loads all of the feed again.",
            )
        if known is None or new:
            statements += _made(schema, table) if known is None else _added(schema, table, new)
            statements += _view(schema, table)
            statements += _comments(schema, table)
    if len(statements) > 1:
        db.execute("; ".join(statements))


def drop_tables(db: Database, schema: str) -> None:
    """Remove the tables and views that were made of a feed, and nothing else."""
    for name, columns in _columns(db, schema).items():
        if {FILE, ROW} <= columns:
            db.execute(
                f"DROP VIEW IF EXISTS {quoted(schema, name + NEWEST)}; "
                f"DROP TABLE {quoted(schema, name)}"
            )


def empty_tables(db: Database, schema: str) -> None:
    """Remove all rows of a feed."""
    for name, columns in _columns(db, schema).items():
        if {FILE, ROW} <= columns:
            db.execute(f"DELETE FROM {quoted(schema, name)}")


def _columns(db: Database, schema: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    rows = db.execute(
        "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() "
        "USING (database_name, schema_name, table_name) "
        "WHERE schema_name = ? AND database_name = current_database()",
        [schema],
    ).fetchall()
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found


def _made(schema: str, table: Table) -> Iterator[str]:
    columns = [f"{quoted(one.name)} {_TYPES[one.type]}" for one in table.columns]
    columns += [f"{quoted(name)} BIGINT" for name in _ADDED]
    yield f"CREATE TABLE {quoted(schema, table.name)} ({', '.join(columns)})"


def _added(schema: str, table: Table, new: Iterable[Column]) -> Iterator[str]:
    # A view is bound to the table's columns.
    yield f"DROP VIEW IF EXISTS {quoted(schema, table.name + NEWEST)}"
    for one in new:
        yield (
            f"ALTER TABLE {quoted(schema, table.name)} "
            f"ADD COLUMN {quoted(one.name)} {_TYPES[one.type]}"
        )


def _view(schema: str, table: Table) -> Iterator[str]:
    columns = ", ".join(quoted(one.name) for one in table.columns)
    key = ", ".join(quoted(name) for name in table.key)
    order = [*([table.newest_by] if table.newest_by else []), FILE, ROW]
    by = ", ".join(f"{quoted(name)} DESC NULLS LAST" for name in order)
    yield (
        f"CREATE OR REPLACE VIEW {quoted(schema, table.name + NEWEST)} AS "
        f"SELECT {columns} FROM {quoted(schema, table.name)} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {by}) = 1"
    )


def _comments(schema: str, table: Table) -> Iterator[str]:
    whole, view = quoted(schema, table.name), quoted(schema, table.name + NEWEST)
    said = f"All rows as they were delivered. {table.description}"
    yield f"COMMENT ON TABLE {whole} IS {literal(said)}"
    by = f" by {table.newest_by}" if table.newest_by else ""
    newest = f"The newest row{by} of each {', '.join(table.key)}. {table.description}"
    yield f"COMMENT ON VIEW {view} IS {literal(newest)}"
    for one in table.columns:
        for place in (whole, view):
            yield f"COMMENT ON COLUMN {place}.{quoted(one.name)} IS {literal(one.description)}"
    for name, text in _ADDED.items():
        yield f"COMMENT ON COLUMN {whole}.{quoted(name)} IS {literal(text)}"
