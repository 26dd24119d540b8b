"""Two small source tables, and ways to fill them, for the tests of sources."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable, TableKind
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.load import bad_rows_error, read_good_rows
from cio_pipeline.sources.tables import commit_rows, create_tables

_COLUMNS = (
    SourceColumn("workspace_id", ColumnType.INTEGER, True, ""),  # noqa: FBT003 - `required`
    SourceColumn("key", ColumnType.STRING, True, ""),  # noqa: FBT003 - `required`
    SourceColumn("value", ColumnType.STRING, False, ""),  # noqa: FBT003 - `required`
    SourceColumn("tags", ColumnType.STRINGS, False, ""),  # noqa: FBT003 - `required`
    SourceColumn("at", ColumnType.TIMESTAMP, False, ""),  # noqa: FBT003 - `required`
    SourceColumn("flag", ColumnType.BOOLEAN, False, ""),  # noqa: FBT003 - `required`
)
THINGS = SourceTable("things", TableKind.MUTABLE, ("workspace_id", "key"), None, _COLUMNS, "Things")
NOTES = SourceTable(
    "notes", TableKind.APPEND_ONLY, ("workspace_id", "key"), None, _COLUMNS, "Notes"
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def read_files(files: Sequence[Path], table: SourceTable) -> pl.DataFrame:
    """The rows of files that have no bad ones; raises what a load of them does."""
    found = read_good_rows(files, table)
    if found.bad:
        raise bad_rows_error(found.bad)
    return found.rows


def minute(n: float) -> datetime:
    return START + timedelta(minutes=n)


def rows(values: Mapping[str, str | None], **more: Any) -> pl.DataFrame:
    """Rows of workspace 1 from key → value."""
    found = [
        {"workspace_id": 1, "key": key, "value": value, **more} for key, value in values.items()
    ]
    schema = {name: dtype for name, dtype in source_schema(THINGS).items() if name in _names(more)}
    return pl.DataFrame(found, schema=schema)


def _names(more: Mapping[str, Any]) -> Sequence[str]:
    return ["workspace_id", "key", "value", *more]


def source(folder: Path, *tables: SourceTable) -> DeltaSource:
    """A source with empty tables."""
    create_tables(str(folder), tables or (THINGS,))
    return DeltaSource(str(folder))


def put(
    found: DeltaSource, values: Mapping[str, str | None], at: float, table: SourceTable = THINGS
) -> int:
    """One commit at a minute."""
    return commit_rows(found.uri, table, rows(values), minute(at))


def cut_at(
    found: DeltaSource,
    at: float | datetime,
    after: Cut | None = None,
    *tables: SourceTable,
    now: datetime | None = None,
) -> Cut:
    """The cut of some tables at a minute, or a time; decided long after it, or `now`."""
    time = at if isinstance(at, datetime) else minute(at)
    now = now or datetime.now(UTC)
    looks = {one.name: found.look(one, time, after, now) for one in tables or (THINGS,)}
    reached = {name: look.reached for name, look in looks.items() if look.reached is not None}
    rest = {name: look.rest for name, look in looks.items() if look.rest is not None}
    return Cut(time, reached, rest=rest)


def latest(found: DeltaSource, table: SourceTable = THINGS) -> TableCut:
    """The table as it is now."""
    opened = found.tables.latest(table)
    assert opened is not None
    return opened.cut


def at_version(found: DeltaSource, version: int, table: SourceTable = THINGS) -> TableCut:
    return TableCut(latest(found, table).table_id, version)


def values_of(frame: pl.LazyFrame) -> dict[str, str | None]:
    """key → value of all rows, which must have different keys."""
    collected = frame.select("key", "value").collect()
    assert collected["key"].is_unique().all()
    return dict(collected.iter_rows())
