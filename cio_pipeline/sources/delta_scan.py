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

from cio_pipeline.sources.columns import logical_schema
from cio_pipeline.sources.errors import version_gone

_ROW = "_row_of_file"
_STORE_OPTIONS = ("aws_", "azure_")
_PROFILE = "aws_profile"


def scan(found: DeltaTable, table: str, storage_options: Mapping[str, str]) -> pl.LazyFrame:
    """All rows with all columns of the table's schema.

    Columns that older files lack are null there; rows that deletion vectors mark are left out.
    Raises VersionGone if a local file is missing.
    """
    files = sorted(found.file_uris())
    _require_local(files, table, found.version())
    if not files:
        return pl.LazyFrame(schema=logical_schema(found))
    deleted = deleted_rows(found)
    parts: list[pl.LazyFrame] = []
    for key, some in groupby(files, lambda file: file if file in deleted else None):
        rows = _scan_files(found, list(some), storage_options, numbered=key is not None)
        parts.append(rows if key is None else _without(rows, deleted[key]))
    return parts[0] if len(parts) == 1 else pl.concat(parts)


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


def _without(rows: pl.LazyFrame, deleted: pl.Series) -> pl.LazyFrame:
    return rows.filter(~pl.col(_ROW).is_in(deleted.implode())).drop(_ROW)


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
