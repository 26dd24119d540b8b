"""The files of a Delta table at a version, in a fixed order, and which of them a slice reads."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, cast

import polars as pl
from deltalake import DeltaTable

from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.sources.deletion_vectors import Vector
from cio_pipeline.sources.places import file_place, is_elsewhere


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
    found: DeltaTable, columns: Collection[str] = (), vectors: Mapping[str, Vector] | None = None
) -> list[DataFile]:
    """All files of a table at its version, by name; `values` for those of the columns alone."""
    folder = table_folder(found)
    actions = pl.DataFrame(cast("Any", found.get_add_actions()))
    partitions = [name for name in found.metadata().partition_columns if name in columns]
    values = [dict(zip(partitions, some, strict=True)) for some in _values(actions, partitions)]
    rows = actions["num_records"] if "num_records" in actions.columns else [None] * actions.height
    files = [
        DataFile(
            file_place(folder, path),
            of_file,
            count,
            (vectors or {}).get(path),
            elsewhere=is_elsewhere(path),
        )
        for path, of_file, count in zip(actions["path"], values, rows, strict=True)
    ]
    return sorted(files, key=lambda file: file.place)


def table_folder(found: DeltaTable) -> str:
    """The folder of a table, as Polars is given it."""
    return file_place("", found.table_uri).rstrip("/")


def counted(files: Sequence[DataFile], count: Callable[[str], int]) -> list[tuple[str, int]]:
    """(place, rows stored in it) of files; `count` is asked where the log does not tell."""
    return [(file.place, count(file.place) if file.rows is None else file.rows) for file in files]


def _values(actions: pl.DataFrame, partitions: list[str]) -> Iterable[tuple[object, ...]]:
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
