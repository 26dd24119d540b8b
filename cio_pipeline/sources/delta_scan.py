"""A Delta table at a version as a lazy scan of its files in a fixed order.

`polars.scan_delta` reads files in the order in which the log is replayed, which nothing promises to
stay. Equal rows must come in an equal order to give equal bytes, so the sorted list is scanned.
"""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import polars as pl
from deltalake import DeltaTable

from cio_pipeline.pipeline.ports import TableSlice
from cio_pipeline.sources.columns import logical_schema
from cio_pipeline.sources.delta_files import FileRows, counted, within
from cio_pipeline.sources.errors import translate, version_gone

_ROW = "_row_of_file"
_STORE_OPTIONS = ("aws_", "azure_")
_PROFILE = "aws_profile"


def scan(
    found: DeltaTable,
    table: str,
    storage_options: Mapping[str, str],
    part: TableSlice | None = None,
) -> pl.LazyFrame:
    """All rows, or those of a slice, with all columns of the table's schema.

    Columns that older files lack are null there; rows that deletion vectors mark are left out.
    Raises VersionGone if a local file is missing.
    """
    read = _read(found, table, storage_options, part)
    _require_local([one.uri for one in read], table, found.version())
    if not read:
        return pl.LazyFrame(schema=logical_schema(found))
    deleted = deleted_rows(found)
    parts: list[pl.LazyFrame] = []
    for alone, some in groupby(read, lambda one: one if _alone(one, deleted) else None):
        files = [one.uri for one in some]
        rows = _scan_files(found, files, storage_options, numbered=alone is not None)
        parts.append(rows if alone is None else _rows_of(rows, alone, deleted.get(alone.uri)))
    return parts[0] if len(parts) == 1 else pl.concat(parts)


def row_counts(
    found: DeltaTable, table: str, storage_options: Mapping[str, str]
) -> list[tuple[str, int]]:
    """(file, rows stored in it) in the order of a scan; at most footers are read.

    Raises VersionGone, SourceUnavailable, SourceError.
    """

    def footer(uri: str) -> int:
        rows = pl.scan_parquet(uri, glob=False, storage_options=_store_options(storage_options))
        try:
            return int(rows.select(pl.len()).collect().item())
        except Exception as error:
            raise (translate(error, table, found.version()) or error) from error

    return counted(found, footer)


def _read(
    found: DeltaTable, table: str, storage_options: Mapping[str, str], part: TableSlice | None
) -> list[FileRows]:
    if part is None:
        return [FileRows(uri) for uri in sorted(found.file_uris())]
    return list(within(row_counts(found, table, storage_options), part))


def _alone(read: FileRows, deleted: Mapping[str, pl.Series]) -> bool:
    """Whether a file needs a scan of its own: parts of files, and those with deleted rows."""
    return not read.whole or read.uri in deleted


def _rows_of(rows: pl.LazyFrame, read: FileRows, deleted: pl.Series | None) -> pl.LazyFrame:
    chosen = rows if read.whole else rows.slice(read.start, read.rows)
    if deleted is not None:
        chosen = chosen.filter(~pl.col(_ROW).is_in(deleted.implode()))
    return chosen.drop(_ROW)


def _scan_files(
    found: DeltaTable, files: list[str], options: Mapping[str, str], *, numbered: bool
) -> pl.LazyFrame:
    schema = logical_schema(found)
    partitions = {n: schema[n] for n in found.metadata().partition_columns}
    stored = {n: dtype for n, dtype in schema.items() if n not in partitions}
    return pl.scan_parquet(
        files,
        schema=stored,
        hive_partitioning=bool(partitions),
        hive_schema=partitions or None,
        glob=False,
        row_index_name=_ROW if numbered else None,
        missing_columns="insert",
        extra_columns="ignore",
        # Spark writes nanosecond timestamps, and files may be older than a widened column.
        cast_options=pl.ScanCastOptions(
            integer_cast="upcast",
            datetime_cast=("nanosecond-downcast", "millisecond-upcast", "convert-timezone"),
        ),
        storage_options=_store_options(options),
    )


def deleted_rows(found: DeltaTable) -> dict[str, pl.Series]:
    """The numbers of deleted rows, per file that has any."""
    features = found.protocol().reader_features or []
    if "deletionVectors" not in features:
        return {}
    vectors = pl.DataFrame(cast("Any", found.deletion_vectors()))
    numbers = vectors.select(
        pl.col("filepath").str.strip_prefix("file://"),
        pl.col("selection_vector").list.eval((~pl.element()).arg_true()),
    )
    return {str(file): pl.Series(rows, dtype=pl.UInt32) for file, rows in numbers.iter_rows()}


def _require_local(files: list[str], table: str, version: int) -> None:
    if any("://" not in file and not Path(file).exists() for file in files):
        raise version_gone(table, version)


def _store_options(options: Mapping[str, str]) -> dict[str, Any] | None:
    """What Polars takes of the options: it refuses some that deltalake has.

    Without keys it asks boto3, which reads the profile from where the options come from.
    """
    kept = {
        name: value
        for name, value in options.items()
        if name.lower().startswith(_STORE_OPTIONS) and name.lower() != _PROFILE
    }
    return kept or None
