"""Delta tables at a version: whether they can be read, and how their columns become ours.

Features that are not known are refused by name, before the first file.

Accepted as they are or cast without loss: integers of 8 to 64 bits for INTEGER; timestamps in
milli- or microseconds for TIMESTAMP, of any zone, those without one (`timestamp_ntz`) read as UTC.
Anything else must be of the declared type. Further columns are ignored. Columns that tables made by
an earlier version do not have yet are null.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import polars as pl
from deltalake import DeltaTable, Schema
from deltalake.exceptions import TableNotFoundError

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import ColumnMismatch, SourceGone, TableReplaced
from cio_pipeline.sources.delta_errors import translate, unknown_feature
from cio_pipeline.sources.delta_log import CommitLog
from cio_pipeline.sources.places import (
    for_deltalake,
    local_path,
    require_usable,
    store_options,
    table_folder,
)

NEW_SOURCE = "Create the tables with `cio-pipeline source init`, or correct CIO_SOURCE."

_INTEGERS = (pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64())
_WIDENED = frozenset({"typeWidening", "typeWidening-preview"})
_READ = {
    "columnMapping",  # by name or id it is refused below, the feature alone changes nothing
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    *_WIDENED,
}
_INTEGER_NAMES = {"byte", "short", "integer", "long"}


@dataclass(frozen=True)
class DeltaTables:
    """A folder, local or in a store, that holds one Delta table per source table.

    Raises InvalidConfig for a place that deltalake cannot use.
    """

    uri: str
    storage_options: Mapping[str, str]

    def __post_init__(self) -> None:
        require_usable(self.uri)

    @cached_property
    def _folder(self) -> str:
        return for_deltalake(self.uri.rstrip("/"))

    def location(self, table: str) -> str:
        """Where a table is, as deltalake takes it."""
        return f"{self._folder}/{table}"

    def latest(self, table: SourceTable) -> "OpenTable | None":
        """A table at its latest version; None if there is none.

        Raises SourceUnavailable, SourceError.
        """
        try:
            return self._opened(table)
        except TableNotFoundError:
            return None
        except Exception as error:
            raise (translate(error, table.name, None) or error) from error

    def at(self, table: SourceTable, cut: TableCut) -> "OpenTable":
        """A table at a cut, which can be read.

        Raises VersionGone, TableReplaced, SourceUnavailable, SourceError.
        """
        try:
            found = self._opened(table, cut.version)
        except Exception as error:
            raise (translate(error, table.name, cut.version) or error) from error
        if found.cut.table_id != cut.table_id:
            raise replaced(table.name, cut, found.cut)
        found.require_readable()
        return found

    def _opened(self, table: SourceTable, version: int | None = None) -> "OpenTable":
        options = dict(self.storage_options)
        found = DeltaTable(self.location(table.name), version=version, storage_options=options)
        return OpenTable(table, found, self.storage_options)

    def require_root(self) -> None:
        """Raise SourceGone if the folder is known not to exist."""
        path = local_path(self.uri)
        if path is not None and not path.is_dir():
            raise SourceGone("The source's folder does not exist.", NEW_SOURCE)


@dataclass(frozen=True, eq=False)
class OpenTable:
    """A declared table at a version, as deltalake has opened it."""

    declared: SourceTable
    delta: DeltaTable
    storage_options: Mapping[str, str] = field(repr=False)

    @cached_property
    def cut(self) -> TableCut:
        """Which table it is, at which version."""
        return TableCut(str(self.delta.metadata().id), self.delta.version())

    @cached_property
    def folder(self) -> str:
        """Where it is, as Polars takes it."""
        return table_folder(self.delta.table_uri)

    @cached_property
    def log(self) -> CommitLog:
        """Its log, up to the last version there is."""
        return CommitLog(self.declared.name, self.folder, self.storage_options)

    @cached_property
    def schema(self) -> pl.Schema:
        """The declared columns that it has, with its own dtypes, whatever its files hold."""
        declared = {column.name for column in self.declared.columns}
        fields = [one for one in self.delta.schema().fields if one.name in declared]
        return pl.Schema(cast("pl.Schema", Schema(fields)))

    @cached_property
    def columns(self) -> list[pl.Expr]:
        """What selects the declared columns in the contract's dtypes.

        Raises ColumnMismatch naming every column that is missing or of another type.
        """
        wrong = self.problems()
        if wrong:
            raise ColumnMismatch(
                f"Table {self.declared.name} does not have the declared columns: "
                f"{'; '.join(wrong)}.",
                "Add or convert them, or load the table anew; docs/source-tables.md lists them.",
            )
        wanted = source_schema(self.declared).items()
        return [_cast(name, self.schema.get(name), dtype) for name, dtype in wanted]

    def problems(self) -> list[str]:
        """What is wrong with its columns, one phrase a column."""
        wrong: list[str] = []
        there = self.schema
        may_lack = {column.name for column in self.declared.columns if column.may_lack}
        for name, expected in source_schema(self.declared).items():
            if name not in there:
                if name not in may_lack:
                    wrong.append(f"{name} is missing (expected {expected})")
            elif not _accepted(there[name], expected):
                wrong.append(f"{name} is {there[name]} (expected {expected})")
        return wrong

    def types_by_name(self) -> dict[str, str]:
        """All columns that it has, with their types as its log writes them."""
        return {
            field["name"]: field["type"]
            if isinstance(field["type"], str)
            else json.dumps(field["type"], sort_keys=True)
            for field in _fields(self.delta)
        }

    def require_readable(self) -> None:
        """Raise SourceError, which names what it needs of its readers and cannot be read."""
        features = self.delta.protocol().reader_features or []
        unread = [name for name in features if name not in _READ]
        mode = self.delta.metadata().configuration.get("delta.columnMapping.mode", "none")
        if mode != "none":
            unread.append(f"columnMapping ({mode})")
        # Only they may have widened columns: else the schema need not be read as text.
        widened = [] if _WIDENED.isdisjoint(features) else self._widened()
        if widened:
            unread.append(f"typeWidening (of {', '.join(widened)})")
        if unread:
            raise unknown_feature(self.declared.name, ", ".join(unread))

    def _widened(self) -> list[str]:
        """The declared columns that were of another type than an integer before."""
        declared = {column.name for column in self.declared.columns}
        return [
            field["name"]
            for field in _fields(self.delta)
            if field["name"] in declared
            and any(
                change.get("fromType") not in _INTEGER_NAMES
                for change in field["metadata"].get("delta.typeChanges", [])
            )
        ]

    def rows_in(self, place: str) -> int:
        """How many rows a file's footer tells. Raises VersionGone and the source's errors."""
        options = store_options(self.storage_options)
        rows = pl.scan_parquet(place, glob=False, hive_partitioning=False, storage_options=options)
        try:
            return int(rows.select(pl.len()).collect().item())
        except Exception as error:
            raise self.told(error) from error

    def told(self, error: Exception) -> Exception:
        """What an error of reading it means to us; itself if nothing."""
        return translate(error, self.declared.name, self.cut.version) or error


def replaced(table: str, then: TableCut, now: TableCut) -> TableReplaced:
    """The error for a table that is not the one of an earlier cut."""
    return TableReplaced(
        f"Table {table} was replaced: it was {then.table_id} at version {then.version} and is now "
        f"{now.table_id} at version {now.version}.",
        "Put the old table back, or register the syncs that read it under new ids.",
    )


def _fields(found: DeltaTable) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", json.loads(found.schema().to_json())["fields"])


def _accepted(found: pl.DataType, expected: pl.DataType) -> bool:
    if expected == pl.Int64():
        return found in _INTEGERS
    if isinstance(expected, pl.Datetime):
        return isinstance(found, pl.Datetime) and found.time_unit in {"ms", "us"}
    return found == expected


def _cast(name: str, found: pl.DataType | None, expected: pl.DataType) -> pl.Expr:
    if found is None:
        return pl.lit(None, expected).alias(name)
    column = pl.col(name)
    if isinstance(found, pl.Datetime) and found.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(expected)
