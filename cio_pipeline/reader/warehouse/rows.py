"""The rows of files into their tables: Parquet by DuckDB itself, other files as frames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import polars as pl

from cio_pipeline.model.errors import FileAltered
from cio_pipeline.model.plans import Series
from cio_pipeline.reader.copies import Copies
from cio_pipeline.reader.files import FeedFile
from cio_pipeline.reader.tables import (
    FILE,
    ROW,
    Kind,
    Table,
    is_parquet,
    rows_of,
    table_named,
)
from cio_pipeline.reader.unreadable import readable
from cio_pipeline.reader.warehouse.database import Database, literal, quoted
from cio_pipeline.reader.warehouse.records import CHNGS

_FILES_AT_ONCE, _BYTES_AT_ONCE = 256, 512 * 1024**2
"""So many files, or so large ones, are read by one statement: all of them must lie there."""

_ROWS_AT_ONCE = 50_000
"""So many rows of small files are inserted at once."""

_Numbered = tuple[int, FeedFile]


@dataclass
class Rows:
    """Loads files into the tables of a schema, and numbers them.

    `tables` are those of each version. What was loaded is in `done`: number, table, rows, file.
    """

    db: Database
    schema: str
    kind: Kind
    copies: Copies
    next_file: int
    done: list[tuple[int, str, int, FeedFile]] = field(
        default_factory=list[tuple[int, str, int, FeedFile]]
    )

    def load(self, files: Iterable[FeedFile]) -> None:
        """Load new files; within a table and series in the order in which their rows count.

        Raises FileAltered, ObjectMissing and the store's other errors.
        """
        for (name, version, series), some in _grouped(self.kind, files):
            numbered = [(self._number(series), file) for file in some]
            self._into(self._table(name, version), numbered)

    def drop(self, files: Iterable[tuple[int, str, FeedFile]]) -> None:
        """Remove the rows of files that were loaded before: number, table, file."""
        numbers: dict[str, list[int]] = {}
        for number, name, _ in files:
            numbers.setdefault(name, []).append(number)
        for name, some in numbers.items():
            where = f"{quoted(FILE)} IN (SELECT unnest(?::BIGINT[]))"
            self.db.execute(f"DELETE FROM {quoted(self.schema, name)} WHERE {where}", [some])

    def load_again(self, files: Iterable[tuple[int, str, FeedFile]]) -> None:
        """Load files that were dropped as they lie there now, under the numbers that they had."""
        for number, name, file in files:
            self._into(self._table(name, file.version), [(number, file)])

    def _number(self, series: Series) -> int:
        self.next_file += 1
        return self.next_file - 1 + (CHNGS if series is Series.CHNGS else 0)

    def _table(self, name: str, version: int) -> Table:
        return table_named(self.kind.tables(version), name)

    def _into(self, table: Table, files: Sequence[_Numbered]) -> None:
        parquet = [one for one in files if is_parquet(one[1])]
        for piece in _pieces(parquet):
            self._read_parquet(table, piece)
        self._read_others(table, [one for one in files if not is_parquet(one[1])])

    def _read_parquet(self, table: Table, files: Sequence[_Numbered]) -> None:
        paths = [path for _, path in self.copies.all_of(file for _, file in files)]
        names = ", ".join(quoted(one.name) for one in table.columns)
        first = files[0][0]
        rows = [_rows(file, path) for (_, file), path in zip(files, paths, strict=True)]
        try:
            found = self.db.execute(
                f"INSERT INTO {quoted(self.schema, table.name)} "
                f"({names}, {quoted(FILE)}, {quoted(ROW)}) "
                f"SELECT {names}, file_index + {first}, file_row_number "
                f"FROM read_parquet([{', '.join(literal(_plain(path)) for path in paths)}], "
                "hive_partitioning = false)"
            ).fetchall()
        finally:
            # A file that went or was rewritten meanwhile explains the database's own error.
            for (_, file), path in zip(files, paths, strict=True):
                self.copies.unchanged(file, path)
        self._check(files, int(found[0][0]))
        for (number, file), count in zip(files, rows, strict=True):
            self.done.append((number, table.name, count, file))

    def _check(self, files: Sequence[_Numbered], rows: int) -> None:
        told = [file.rows for _, file in files]
        if None not in told and rows != sum(one or 0 for one in told):
            raise FileAltered(
                f"'{files[0][1].key}' or a later file has other rows than were delivered.",
                "`cio-pipeline verify` says which.",
            )

    def _read_others(self, table: Table, files: Sequence[_Numbered]) -> None:
        numbers = dict[FeedFile, int]((file, number) for number, file in files)
        frames: list[pl.DataFrame] = []
        for file, path in self.copies.all_of(numbers):
            with readable(file):
                frame = rows_of(self.kind, table, file, path).collect()
            number = numbers[file]
            self.done.append((number, table.name, frame.height, file))
            frames.append(_placed(frame, number))
            if sum(one.height for one in frames) >= _ROWS_AT_ONCE:
                self._insert(table, frames)
                frames = []
        self._insert(table, frames)

    def _insert(self, table: Table, frames: Sequence[pl.DataFrame]) -> None:
        if not frames:
            return
        self.db.register("cio_rows", pl.concat(frames))
        try:
            self.db.execute(
                f"INSERT INTO {quoted(self.schema, table.name)} BY NAME SELECT * FROM cio_rows"
            )
        finally:
            self.db.unregister("cio_rows")


def _grouped(
    kind: Kind, files: Iterable[FeedFile]
) -> Iterator[tuple[tuple[str, int, Series], Iterator[FeedFile]]]:
    told = {file: (kind.table_of(file), file.version, file.series) for file in files}
    ordered = sorted(told, key=lambda file: (*told[file], file.place, file.key))
    yield from groupby(ordered, key=lambda file: told[file])


def _pieces(files: Sequence[_Numbered]) -> Iterator[list[_Numbered]]:
    piece: list[_Numbered] = []
    size = 0
    for one in files:
        # DuckDB tells the place of a file in the list: numbers have to go on by one.
        gap = bool(piece) and one[0] != piece[-1][0] + 1
        full = len(piece) == _FILES_AT_ONCE or size + one[1].bytes > _BYTES_AT_ONCE
        if piece and (gap or full):
            yield piece
            piece, size = [], 0
        piece.append(one)
        size += one[1].bytes
    if piece:
        yield piece


def _placed(frame: pl.DataFrame, number: int) -> pl.DataFrame:
    place = pl.int_range(frame.height, dtype=pl.Int64).alias(ROW)
    return frame.with_columns(pl.lit(number, pl.Int64).alias(FILE), place)


def _rows(file: FeedFile, path: Path) -> int:
    if file.rows is not None:
        return file.rows
    with readable(file):
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


_GLOB = str.maketrans({one: f"[{one}]" for one in "*?["})


def _plain(path: Path) -> str:
    """A path as DuckDB reads it where it could be a pattern."""
    return str(path.absolute()).translate(_GLOB)
