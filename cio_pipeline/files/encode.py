"""Encoding: the rows of many workspaces into Parquet files per workspace, in one streaming pass.

Files roll over by rows alone, and the same rows in the same order give the same bytes in any
process (D5, D2): the options below are part of that promise, and Polars is pinned for it.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from polars.io.partition import FileProviderArgs, SinkedPathsCallbackArgs

from cio_pipeline.contracts.arrow import arrow_schema
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.fingerprint import fingerprint
from cio_pipeline.files.converted_types import ConvertedTypes
from cio_pipeline.files.fit import Shape, fitted, named_errors
from cio_pipeline.files.footers import entries, measure
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.changes import SERIES
from cio_pipeline.model.plans import PRODUCER, QuarantinedRow, Series

_ZSTD_LEVEL = 3
"""Level 19 takes 100 times as long for little."""


@dataclass(frozen=True)
class SpooledFile:
    """One encoded file. `index` counts the files of a workspace and series from 0.

    `path` is relative to the spool's root. Times are of the export's time column, None without.
    `kind` tells files of one index apart, where an export has several kinds (types of calls).
    """

    workspace_id: int
    series: Series
    index: int
    path: str
    rows: int
    bytes: int
    sha256: str
    min_time: datetime | None
    max_time: datetime | None
    kind: str = ""


@dataclass(frozen=True)
class Encoded:
    """Files by (workspace, series, index), and the rows held back by (workspace, identity).

    `delivered` names rows in the files by (workspace, identity), of those that were asked for.
    """

    files: tuple[SpooledFile, ...]
    rejected: tuple[QuarantinedRow, ...]
    delivered: frozenset[tuple[int, str]] = frozenset()


def encode(
    rows: pl.LazyFrame,
    rejected: pl.LazyFrame,
    export: Export,
    version: int,
    timestamp_unit: str,
    *,
    rows_per_file: int,
    spool: Spool,
    folder: str,
    total: pl.LazyFrame | None = None,
    producer: str = PRODUCER,
) -> Encoded:
    """Write `rows` into the spool's `folder`, which is emptied first; no rows, no file (D5).

    `rows` has the contract's columns in order, then SERIES; their order is kept. `rejected` has
    workspace_id, identity, reason and count; `total` is the number of rows of both, read only if it
    is given; `producer` is the release that files name. Raises DiskFull, ColumnMismatch (columns
    that do not fit, a null where the contract has none), VersionGone, SourceError,
    SourceUnavailable; then nothing is left in the folder.
    """
    shape = Shape(export, version, timestamp_unit, rows_per_file, producer)
    # A killed attempt may have left files that this one would not write again.
    spool.discard(folder)
    target = spool.folder(folder)
    try:
        with named_errors(rows, shape):
            written = _sink(fitted(rows, shape), shape, target)
            sent = sum(file.rows for file in written.values())
            # Apart from the sink, though that reads the source again: in one `collect_all` Polars
            # holds the common part in memory (20 M rows: 2.2 GB, apart 0.7 GB and faster), or
            # does not share it at all. Counting reads a column, finding reasons takes a fifth of
            # what the sink does: so they are looked for only where a row is missing.
            held_back = () if _count(total) == sent else _collect(rejected)
        files = [_described(path, about, shape, folder) for path, about in written.items()]
    except BaseException:
        spool.discard(folder)
        raise
    return Encoded(tuple(sorted(files, key=_place)), held_back)


@dataclass(frozen=True)
class _Written:
    """What the sink tells of a file."""

    workspace_id: int
    series: Series
    index: int
    rows: int


def _place(file: SpooledFile) -> tuple[int, Series, int]:
    return file.workspace_id, file.series, file.index


def _sink(rows: pl.LazyFrame, shape: Shape, target: Path) -> dict[Path, _Written]:
    """The files written, by path."""
    named: dict[Path, tuple[int, Series, int]] = {}
    written: dict[Path, _Written] = {}

    def name(file: FileProviderArgs) -> Path:
        workspace, series = file.partition_keys.row(0)
        path = target / f"{workspace}-{series}-{file.index_in_partition}.parquet"
        named[path] = (workspace, Series(series), file.index_in_partition)
        return path

    def note(sunk: SinkedPathsCallbackArgs) -> None:
        for file in sunk.paths:
            path = Path(str(file.path))
            written[path] = _Written(*named[path], file.num_rows)

    rows.sink_parquet(
        pl.PartitionBy(
            target,
            file_path_provider=name,
            # include_key=False drops columns by name: under another one workspace_id stays.
            key=[pl.col("workspace_id").alias("_workspace"), pl.col(SERIES)],
            include_key=False,
            max_rows_per_file=shape.rows_per_file,
            approximate_bytes_per_file=None,
        ),
        arrow_schema=arrow_schema(shape.export, shape.version, shape.timestamp_unit),
        metadata=entries(
            shape.export.name,
            shape.version,
            fingerprint(shape.export, shape.version, shape.timestamp_unit),
            shape.producer,
        ),
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        statistics=True,
        maintain_order=True,
        sinked_paths_callback=note,
        engine="streaming",
    )
    types = ConvertedTypes()
    for path in written:
        types.add(path)
    return written


def _described(path: Path, about: _Written, shape: Shape, folder: str) -> SpooledFile:
    found = measure(path, shape.export.time_column, shape.timestamp_unit)
    return SpooledFile(
        workspace_id=about.workspace_id,
        series=about.series,
        index=about.index,
        path=f"{folder}/{path.name}",
        rows=about.rows,
        bytes=found.bytes,
        sha256=found.sha256,
        min_time=found.min_time,
        max_time=found.max_time,
    )


def _count(total: pl.LazyFrame | None) -> int | None:
    return None if total is None else int(total.collect(engine="streaming").item())


def _collect(rejected: pl.LazyFrame) -> tuple[QuarantinedRow, ...]:
    columns = rejected.select("workspace_id", "identity", "reason", "count")
    rows = columns.collect(engine="streaming").rows()
    return tuple(QuarantinedRow(*row) for row in sorted(rows))
