"""Files of a Delta table as one lazy scan in a given order: the reader of snapshots and changes.

`polars.scan_delta` reads files in the order in which the log is replayed, which nothing promises to
stay. Equal rows must come in an equal order to give equal bytes, so a sorted list is scanned. All
files are in one scan, since Polars keeps a file open for each scan that runs.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any, cast

import polars as pl

from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.sources.active_vectors import vectors_at
from cio_pipeline.sources.deletion_vectors import Vector, deleted_rows, read_bytes
from cio_pipeline.sources.delta_errors import clone_gone, vector_damaged, version_gone
from cio_pipeline.sources.delta_table import OpenTable
from cio_pipeline.sources.places import file_place, is_elsewhere, store_options


@dataclass(frozen=True)
class FileRows:
    """`rows` rows of a file from its row `start` on; all of them from there if `rows` is None."""

    uri: str
    start: int = 0
    rows: int | None = None

    @property
    def whole(self) -> bool:
        """Whether the whole file is meant."""
        return self.start == 0 and self.rows is None


def sliced(total: int, rows: int) -> list[TableSlice]:
    """`total` rows as the fewest slices of at most `rows`, of equal size but for one row."""
    number = max(1, -(-total // rows))
    ends = [total * at // number for at in range(number + 1)]
    return [TableSlice(*pair) for pair in pairwise(ends)]


@dataclass(frozen=True)
class DataFile:
    """A file of a table, as the table's log describes it.

    `place` is what Polars is given. `values` are those of the partition columns. `rows` counts the
    stored rows, deleted ones too, if the log tells, as `bytes` does; `vector` is what it says of
    deleted ones. Of the rows,
    only the ones with the numbers in `chosen` are meant, if it is given, and none in `deleted`.
    `elsewhere` is true for files of another table, of which this one is a shallow clone.
    """

    place: str
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    rows: int | None = None
    vector: Vector | None = None
    deleted: pl.Series | None = None
    chosen: pl.Series | None = None
    elsewhere: bool = False
    bytes: int | None = None


def data_files(
    table: OpenTable, columns: Collection[str] = (), vectors: Mapping[str, Vector] | None = None
) -> list[DataFile]:
    """All files of a table at its version, by name; `values` for those of the columns alone."""
    actions = pl.DataFrame(cast("Any", table.delta.get_add_actions()))
    partitions = [name for name in table.delta.metadata().partition_columns if name in columns]
    values = [
        dict(zip(partitions, some, strict=True)) for some in _of_partitions(actions, partitions)
    ]
    rows = actions["num_records"] if "num_records" in actions.columns else [None] * actions.height
    files = [
        DataFile(
            file_place(table.folder, path),
            of_file,
            count,
            (vectors or {}).get(path),
            elsewhere=is_elsewhere(path),
        )
        for path, of_file, count in zip(actions["path"], values, rows, strict=True)
    ]
    return sorted(files, key=lambda file: file.place)


def counted(files: Sequence[DataFile], count: Callable[[str], int]) -> list[tuple[str, int]]:
    """(place, rows stored in it) of files; `count` is asked where the log does not tell."""
    return [(file.place, count(file.place) if file.rows is None else file.rows) for file in files]


def _of_partitions(actions: pl.DataFrame, partitions: list[str]) -> Iterable[tuple[object, ...]]:
    if not partitions:
        return [()] * actions.height
    return actions.select(pl.col("partition").struct.field(partitions)).iter_rows()


def within(files: Sequence[tuple[str, int]], part: TableSlice) -> Iterator[FileRows]:
    """What a slice reads of counted files, in their order."""
    ends = accumulate(rows for _, rows in files)
    for (uri, rows), end in zip(files, ends, strict=True):
        start = max(0, part.start - (end - rows))
        stop = min(rows, part.stop - (end - rows))
        if start >= stop:
            continue
        yield FileRows(uri) if (start, stop) == (0, rows) else FileRows(uri, start, stop - start)


PLACE = "_place_of_file"
"""The column that names each row's file, as the reader is given it."""

_ROW = "_row_of_file"


def scan(
    table: OpenTable,
    part: TableSlice | None = None,
    workspaces: Collection[int] | None = None,
) -> pl.LazyFrame:
    """All rows, or those of a slice, with the declared columns that the table has.

    Of a table that is partitioned by workspace, files of others than `workspaces` are left out.
    Columns that older files lack are null there; rows that deletion vectors mark are left out.
    Raises VersionGone if a local file is missing.
    """
    try:
        return _scan(table, part, workspaces)
    except Exception as error:
        raise table.told(error) from error


def _scan(
    table: OpenTable, part: TableSlice | None, workspaces: Collection[int] | None
) -> pl.LazyFrame:
    files = {file.place: file for file in data_files(table, table.schema, vectors_of(table))}
    all_read = _read(list(files.values()), table.rows_in, part)
    read = [one for one in all_read if _may_hold(files[one.uri], workspaces)]
    require_there([files[one.uri] for one in read], table)
    parts: list[pl.LazyFrame] = []
    for _, group in groupby(read, lambda one: None if one.whole else one.uri):
        some = list(group)
        whole = list(_whole([files[one.uri] for one in some], table))
        rows = scan_files(whole, table.schema, table, some[0])
        parts.append(rows.select(table.schema.names()))
    return pl.concat(parts) if parts else pl.LazyFrame(schema=table.schema)


def _may_hold(file: DataFile, workspaces: Collection[int] | None) -> bool:
    owner = file.values.get("workspace_id")
    return workspaces is None or owner is None or owner in workspaces


def row_counts(table: OpenTable) -> list[tuple[str, int]]:
    """(file, rows stored in it) in the order of a scan; at most footers are read.

    Raises VersionGone, SourceUnavailable, SourceError.
    """
    return counted(data_files(table), table.rows_in)


def vectors_of(table: OpenTable) -> dict[str, Vector]:
    """The deletion vectors of a table's files; its log is read again only if there can be any."""
    if "deletionVectors" not in (table.delta.protocol().reader_features or []):
        return {}
    return vectors_at(table.log, table.cut.version)


def _whole(files: Sequence[DataFile], table: OpenTable) -> Iterator[DataFile]:
    """Files with the rows that their deletion vectors mark."""
    read = partial(read_bytes, table.folder, table.storage_options)
    for file in files:
        try:
            rows = deleted_rows(file.vector, read)
        except (ValueError, KeyError) as error:
            raise vector_damaged(table.declared.name, table.cut.version) from error
        yield replace(file, deleted=pl.Series(list(rows), dtype=pl.UInt32)) if rows else file


def scan_files(
    files: Sequence[DataFile],
    schema: Mapping[str, pl.DataType],
    table: OpenTable,
    part: FileRows | None = None,
) -> pl.LazyFrame:
    """The rows of some files of a table in their order; all have `chosen`, or none has.

    Columns are those of `schema`, partition columns with the values that the log has, and PLACE.
    `part` is that of the only file, if it is not read whole.
    """
    partitions = {name: schema[name] for name in schema if name in files[0].values}
    picked = pl.concat([pl.Series(dtype=pl.UInt32), *_numbers(files, table.rows_in)])
    choosing = files[0].chosen is not None
    rows = pl.scan_parquet(
        [file.place for file in files],
        schema={name: schema[name] for name in schema if name not in partitions},
        hive_partitioning=False,
        glob=False,
        row_index_name=_ROW if choosing or len(picked) else None,
        include_file_paths=PLACE,
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=_CASTS,
        storage_options=store_options(table.storage_options),
    )
    if part is not None and not part.whole:
        rows = rows.slice(part.start, part.rows)
    if choosing or len(picked):
        is_picked = pl.col(_ROW).is_in(picked.implode())
        rows = rows.filter(is_picked if choosing else ~is_picked).drop(_ROW)
    return with_facts(rows, [(file.place, file.values) for file in files], partitions)


_CASTS = pl.ScanCastOptions(
    # Spark writes nanosecond timestamps, and files may be older than a widened column.
    integer_cast="upcast",
    datetime_cast=("nanosecond-downcast", "millisecond-upcast", "convert-timezone"),
    # Arrow writes dictionaries as what they are in memory.
    categorical_to_string="allow",
)


def with_facts(
    rows: pl.LazyFrame,
    facts: Sequence[tuple[str, Mapping[str, object]]],
    dtypes: Mapping[str, pl.DataType],
) -> pl.LazyFrame:
    """Rows with what is known of their files (by PLACE), which no file holds itself."""
    if not dtypes:
        return rows
    known = {PLACE: pl.Series([place for place, _ in facts], dtype=pl.String)}
    for name, dtype in dtypes.items():
        known[name] = pl.Series([values[name] for _, values in facts], dtype=dtype)
    return rows.join(pl.LazyFrame(known), on=PLACE, how="left", maintain_order="left")


def _numbers(files: Sequence[DataFile], count: Callable[[str], int]) -> list[pl.Series]:
    """The numbers that tell deleted rows, or chosen ones, counted over all files of a scan."""
    marks = [file.deleted if file.chosen is None else file.chosen for file in files]
    last = max((n for n, mark in enumerate(marks) if mark is not None), default=0)
    starts = accumulate((rows for _, rows in counted(files[:last], count)), initial=0)
    return [
        (mark.cast(pl.UInt64) + start).cast(pl.UInt32)
        for mark, start in zip(marks, starts, strict=False)
        if mark is not None
    ]


def _read(
    files: Sequence[DataFile], count: Callable[[str], int], part: TableSlice | None
) -> list[FileRows]:
    if part is None:
        return [FileRows(file.place) for file in files]
    return list(within(counted(files, count), part))


def require_there(files: Sequence[DataFile], table: OpenTable) -> None:
    """Raise VersionGone if a local file is missing."""
    for file in files:
        if "://" not in file.place and not Path(file.place).exists():
            gone = clone_gone if file.elsewhere else version_gone
            raise gone(table.declared.name, table.cut.version)
