"""The write side: creating source tables and committing rows to them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import polars as pl
from deltalake import CommitProperties, DeltaTable, Field, write_deltalake
from polars import LazyFrame

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.model.errors import InvalidConfig, SourceGone
from cio_pipeline.sources.commit_errors import not_committed
from cio_pipeline.sources.delta_log import COMMITTED_AT_KEY
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables, OpenTable
from cio_pipeline.sources.fit import fitted, in_arrival
from cio_pipeline.sources.places import local_path

BEFORE_ALL_ROWS = datetime(1970, 1, 1, tzinfo=UTC)
"""Commit time of a new, empty table: earlier than any load, also one of old data."""


def create_tables(
    uri: str, tables: Iterable[SourceTable], storage_options: Mapping[str, str] | None = None
) -> list[str]:
    """Create the tables that do not exist, with their change feed on; their names.

    Raises SourceUnavailable, SourceError.
    """
    folder = DeltaTables(uri, storage_options or {})
    path = local_path(uri)
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
    created: list[str] = []
    for table in tables:
        if folder.latest(table) is None:
            _create(folder, table)
            created.append(table.name)
    return created


def take_over(
    uri: str, tables: Iterable[SourceTable], storage_options: Mapping[str, str] | None = None
) -> list[str]:
    """Add the columns that came after tables were made, and give them as `table.column`.

    Raises SourceUnavailable, SourceError.
    """
    folder = DeltaTables(uri, storage_options or {})
    added: list[str] = []
    for table in tables:
        found = folder.latest(table)
        if found is None or not _late(found):
            continue
        # No row changes with it: it is as old as the commit that it follows, if that says so.
        last = next(found.log.entries(found.cut.version, found.cut.version))
        at = last.time if last.deliberate else None
        added += [f"{table.name}.{name}" for name in add_late_columns(found, at)]
    return added


def add_late_columns(found: OpenTable, at: datetime | None = None) -> list[str]:
    """Add the columns that came after a table was made, in one commit; their names.

    Raises SourceUnavailable, SourceError.
    """
    late, table = _late(found), found.declared
    if not late:
        return []
    fields = [Field.from_arrow(source_arrow_schema(table).field(name)) for name in late]
    try:
        found.delta.alter.add_columns(fields, commit_properties=_properties(at))
    except Exception as error:
        raise (not_committed(error, table.name, found.delta) or error) from error
    return late


def _late(found: OpenTable) -> list[str]:
    columns = found.declared.columns
    return [one.name for one in columns if one.may_lack and one.name not in found.schema]


def commit_rows(
    uri: str,
    table: SourceTable,
    rows: pl.DataFrame | LazyFrame,
    at: datetime | None = None,
    storage_options: Mapping[str, str] | None = None,
    *,
    all_of: Sequence[int] = (),
) -> int:
    """Write rows in one commit, appending or, in mutable tables, replacing by identity.

    Of the workspaces `all_of`, rows of a mutable table that are not given are removed.

    Columns that the rows lack keep their values in rows that are there already. Rows that do not
    tell their arrival came in as they stand here. `at` (aware) is stored as the commit's time;
    without it the log's time counts. Returns the version; no rows, no commit. Raises
    ColumnMismatch and InvalidConfig (see `fit.fitted`), SourceGone, SourceUnavailable, DiskFull,
    SourceError.
    """
    folder = DeltaTables(uri, storage_options or {})
    opened = folder.latest(table)
    if opened is None:
        raise SourceGone(f"Table {table.name} does not exist.", NEW_SOURCE)
    given = rows.collect() if isinstance(rows, LazyFrame) else rows
    good = in_arrival(fitted(given, table))
    if good.is_empty():
        return opened.cut.version
    add_late_columns(opened, at)
    found = opened.delta
    properties = _properties(at)
    try:
        if table.kind is TableKind.APPEND_ONLY:
            write_deltalake(found, good, mode="append", commit_properties=properties)
        else:
            _upsert(found, table, good, given.columns, properties, all_of=all_of)
    except Exception as error:
        raise (not_committed(error, table.name, found) or error) from error
    return found.version()


def _create(folder: DeltaTables, table: SourceTable) -> None:
    try:
        DeltaTable.create(
            folder.location(table.name),
            source_arrow_schema(table),
            name=table.name,
            description=table.description,
            configuration={"delta.enableChangeDataFeed": "true"},
            storage_options=dict(folder.storage_options),
            commit_properties=_properties(BEFORE_ALL_ROWS),
        )
    except Exception as error:
        raise (not_committed(error, table.name, None) or error) from error


def _upsert(
    found: DeltaTable,
    table: SourceTable,
    rows: pl.DataFrame,
    given: Sequence[str],
    properties: CommitProperties,
    *,
    all_of: Sequence[int],
) -> None:
    """Insert rows, or update the columns that were given: the others keep their values."""
    same = " AND ".join(f"target.{name} = source.{name}" for name in table.identity)
    merge = found.merge(
        cast("Any", rows),
        predicate=same,
        source_alias="source",
        target_alias="target",
        commit_properties=properties,
    )
    updates = {f'"{name}"': f'source."{name}"' for name in given}
    merge = merge.when_matched_update(updates).when_not_matched_insert_all()
    if all_of:
        theirs = f"target.workspace_id IN ({', '.join(map(str, all_of))})"
        merge = merge.when_not_matched_by_source_delete(theirs)
    merge.execute()


def _properties(at: datetime | None) -> CommitProperties:
    return CommitProperties(custom_metadata=commit_metadata(at))


def commit_metadata(at: datetime | None) -> dict[str, str]:
    """What a commit's metadata say of its time; nothing if the log's counts."""
    if at is None:
        return {}
    if at.tzinfo is None:
        raise InvalidConfig("The time of a commit needs an offset.", "Write it with a Z for UTC.")
    return {COMMITTED_AT_KEY: at.astimezone(UTC).isoformat()}
