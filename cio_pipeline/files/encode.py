"""Encoding: the rows of many workspaces into Parquet files per workspace, in one streaming pass.

Rows that do not fit their contract are refused; what Polars raises meanwhile is told in our words.

Files roll over by rows alone, and the same rows in the same order give the same bytes in any
process (D5, D2): the options below are part of that promise, and Polars is pinned for it.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import IO, cast

import polars as pl
from polars.io.partition import FileProviderArgs

from cio_pipeline.contracts.declare import Export, fingerprint
from cio_pipeline.contracts.dtypes import arrow_schema, polars_schema
from cio_pipeline.files.footers import Finish, entries
from cio_pipeline.files.growing import Growing
from cio_pipeline.files.spool import Spool
from cio_pipeline.files.system_errors import reason, spool_error
from cio_pipeline.model.changeset import SERIES
from cio_pipeline.model.errors import (
    CioError,
    ColumnMismatch,
    SourceError,
    SourceUnavailable,
    VersionGone,
)
from cio_pipeline.model.plans import PRODUCER, QuarantinedRow, SealedFile, Series

ZSTD_LEVEL = 3
"""Level 19 takes 100 times as long for little."""

ROW_GROUP = 122_880
"""Rows of a workspace and series that the sink holds in memory before it writes them."""


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

    def sealed(self, key: str, sequence: int, part: int | None = None) -> SealedFile:
        """The file under its key and number."""
        return SealedFile(
            key=key,
            series=self.series,
            sequence=sequence,
            part=part,
            rows=self.rows,
            bytes=self.bytes,
            sha256=self.sha256,
            min_time=self.min_time,
            max_time=self.max_time,
            spool=self.path,
        )


@dataclass(frozen=True)
class Encoded:
    """Files by (workspace, series, index), and the rows held back by (workspace, identity).

    `delivered` names rows in the files by (workspace, identity), of those that were asked for.
    `counts` are numbers of rows by workspace and kind.
    """

    files: tuple[SpooledFile, ...]
    rejected: tuple[QuarantinedRow, ...]
    delivered: frozenset[tuple[int, str]] = frozenset()
    counts: Mapping[int, tuple[tuple[str, int], ...]] = field(
        default_factory=dict[int, tuple[tuple[str, int], ...]], hash=False
    )


@dataclass(frozen=True)
class Shape:
    """What all files of one encoding have in common."""

    export: Export
    version: int
    timestamp_unit: str
    rows_per_file: int
    producer: str = PRODUCER


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
    total: Callable[[], int] | None = None,
    producer: str = PRODUCER,
) -> Encoded:
    """Write `rows` into the spool's `folder`, which is emptied first; no rows, no file (D5).

    `rows` has the contract's columns in order, then SERIES (PLAIN unless the export is split); they
    stay in order. `rejected` has workspace_id, identity, reason and count; `total` tells the number
    of rows of both, once `rows` were read; `producer` is the release that files name. Raises
    DiskFull, ColumnMismatch (columns that do not fit, a null where the contract has none),
    VersionGone, SourceError, SourceUnavailable; then nothing is left in the folder.
    """
    shape = Shape(export, version, timestamp_unit, rows_per_file, producer)
    # A killed attempt may have left files that this one would not write again.
    spool.discard(folder)
    target = spool.folder(folder)
    try:
        with named_errors(rows, shape):
            files = _sink(fitted(rows, shape), shape, target, folder)
            sent = sum(file.rows for file in files)
            # Apart from the sink, though that reads the source again: in one `collect_all` Polars
            # holds the common part in memory (20 M rows: 2.2 GB, apart 0.7 GB and faster), or
            # does not share it at all. Finding reasons takes a fifth of what the sink does: so
            # they are looked for only where a row is missing.
            whole = total is not None and total() == sent
            held_back = () if whole else _collect(rejected)
    except BaseException:
        spool.abandon(folder)
        raise
    in_order = sorted(files, key=attrgetter("workspace_id", "series", "index"))
    return Encoded(tuple(in_order), held_back)


def _sink(rows: pl.LazyFrame, shape: Shape, target: Path, folder: str) -> list[SpooledFile]:
    """The files written, in no order."""
    begun: list[tuple[Growing, tuple[int, Series, int, str]]] = []

    def begin(file: FileProviderArgs) -> IO[bytes]:
        workspace, *told = file.partition_keys.row(0)
        series = Series(told[0]) if told else Series.PLAIN
        name = f"{workspace}-{series.value}-{file.index_in_partition}.parquet"
        growing = Growing(f"{target}/{name}")
        begun.append((growing, (workspace, series, file.index_in_partition, f"{folder}/{name}")))
        return cast("IO[bytes]", growing)

    of = fingerprint(shape.export, shape.version, shape.timestamp_unit)
    both = shape.export.split
    (rows if both else _in_stretches(rows)).sink_parquet(
        pl.PartitionBy(
            target,
            file_path_provider=begin,
            # include_key=False drops columns by name: under another one workspace_id stays.
            key=[pl.col("workspace_id").alias("_workspace"), *([pl.col(SERIES)] if both else [])],
            include_key=False,
            max_rows_per_file=shape.rows_per_file,
            approximate_bytes_per_file=None,
        ),
        arrow_schema=arrow_schema(shape.export, shape.version, shape.timestamp_unit),
        metadata=entries(shape.export.name, shape.version, of, shape.producer),
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        statistics=True,
        row_group_size=ROW_GROUP,
        maintain_order=True,
        engine="streaming",
    )
    found: list[SpooledFile] = []
    finish = Finish(shape.export.time_column, shape.timestamp_unit)
    for growing, of_file in begun:
        its = growing.finished(finish)
        measured = (its.rows, its.bytes, its.sha256, its.min_time, its.max_time)
        found.append(SpooledFile(*of_file, *measured))
    return found


def _in_stretches(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of one series; of some at a time, those of a workspace together, in their order.

    By a single key that is known to be sorted, the sink cuts them apart in half the time.
    """

    def together(some: pl.DataFrame) -> pl.DataFrame:
        workspaces = some["workspace_id"]
        if workspaces.is_sorted():
            return some.with_columns(workspaces.set_sorted())
        return some.sort("workspace_id", maintain_order=True)

    return rows.drop(SERIES).map_batches(together, streamable=True)


def _collect(rejected: pl.LazyFrame) -> tuple[QuarantinedRow, ...]:
    columns = rejected.select("workspace_id", "identity", "reason", "count")
    rows = columns.collect(engine="streaming").rows()
    return tuple(QuarantinedRow(*row) for row in sorted(rows))


def fitted(rows: pl.LazyFrame, shape: Shape) -> pl.LazyFrame:
    """The rows with times in the shape's unit; raises ColumnMismatch unless all else fits."""
    expected = polars_schema(shape.export, shape.version, shape.timestamp_unit)
    found = _schema(rows, shape)
    if list(found) != [*expected, SERIES]:
        odd = sorted(set(found) ^ {*expected, SERIES}) or ["their order"]
        raise _mismatch(shape, f"these columns differ: {', '.join(odd)}")
    for name, dtype in expected.items():
        if not _castable(found[name], dtype):
            raise _mismatch(shape, f"{name} is {found[name]} instead of {dtype}")
    return rows.cast({name: expected[name] for name in expected if found[name] != expected[name]})


def _schema(rows: pl.LazyFrame, shape: Shape) -> pl.Schema:
    try:
        return rows.collect_schema()
    except pl.exceptions.PolarsError as error:
        # Nothing has been read yet: this text holds names and dtypes only.
        raise _mismatch(shape, str(error).partition("\n")[0]) from error


def _castable(found: pl.DataType, expected: pl.DataType) -> bool:
    """Whether two dtypes are equal but for the unit of a UTC time."""
    if isinstance(found, pl.Datetime) and isinstance(expected, pl.Datetime):
        return found.time_zone == expected.time_zone
    return found == expected


@contextmanager
def named_errors(rows: pl.LazyFrame, shape: Shape) -> Generator[None]:
    """Turns what Polars raises into the product's errors.

    Their texts may hold values of rows, so they are not passed on (`from None`).
    """
    try:
        yield
    except CioError:
        raise
    except FileNotFoundError:
        raise VersionGone(
            f"A file of the source that {shape.export.name} reads is gone.",
            "Keep the table's versions for longer; `cio-pipeline source status` says how long.",
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise spool_error(error) or _source_error(error, rows, shape) from None


def _source_error(error: BaseException, rows: pl.LazyFrame, shape: Shape) -> CioError:
    if isinstance(error, pl.exceptions.SchemaError) and "nullable is false" in str(error):
        return _mismatch(shape, f"{_columns_with_nulls(rows, shape)} must not be null, but is")
    name = shape.export.name
    if isinstance(error, OSError):
        return SourceUnavailable(
            f"Reading the source for {name} failed ({reason(error)}).", "It is tried again."
        )
    return SourceError(
        f"Reading the source for {name} failed ({reason(error)}).",
        f"Check the table {shape.export.source} with `cio-pipeline source status`.",
    )


def _columns_with_nulls(rows: pl.LazyFrame, shape: Shape) -> str:
    required = [c.name for c in shape.export.columns_of(shape.version) if c.required]
    counts = rows.select(pl.col(required).null_count())
    nulls = counts.collect(engine="streaming")
    return ", ".join(name for name in required if nulls[name].item())


def _mismatch(shape: Shape, text: str) -> ColumnMismatch:
    return ColumnMismatch(
        f"The rows of {shape.export.name} do not fit its contract v{shape.version}: {text}.",
        "Rows that break the contract belong into quarantine before: please report this bug.",
    )
