"""Writing one file of calls, chunk by chunk: JSON lines, CSV (RFC 4180), or Parquet (C3).

Chunks depend on the rows alone, so the same rows give the same bytes in any process.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import polars as pl
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

from cio_pipeline.contracts.arrow import arrow_schema
from cio_pipeline.contracts.declare import CURRENT_VERSION, Export
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.files.call_rows import Row
from cio_pipeline.files.footers import entries

_parquet: Any = pq

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 16 * 2**20
"""What is held in memory of one file: so many rows, or fewer that are large."""


class _Writer(Protocol):
    def write(self, rows: list[Row]) -> None: ...

    def close(self) -> None: ...


class CallFile:
    """A file that is being written; `rows` counts what was added."""

    def __init__(
        self, path: Path, export: Export, file_format: str, unit: str, fingerprint: str
    ) -> None:
        self.path, self.rows = path, 0
        self._writer = _opened(path, export, file_format, unit, fingerprint)
        self._chunk: list[Row] = []
        self._size = 0

    def add(self, row: Row, size: int) -> None:
        """One more row, of about so many characters."""
        self._chunk.append(row)
        self._size += size
        self.rows += 1
        if len(self._chunk) >= CHUNK_ROWS or self._size >= CHUNK_CHARACTERS:
            self._flush()

    def close(self) -> None:
        """Write what is left; the file is whole then."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._chunk:
            self._writer.write(self._chunk)
        self._chunk, self._size = [], 0


def _opened(path: Path, export: Export, file_format: str, unit: str, fingerprint: str) -> _Writer:
    if file_format == "json":
        return _Json(path)
    if file_format == "csv":
        return _Csv(path, [column.name for column in export.columns])
    return _Parquet(path, export, unit, fingerprint)


class _Json:
    """One object a line, out of the JSON texts of its values."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def write(self, rows: Iterable[Row]) -> None:
        lines = (
            "{" + ",".join(f'"{name}":{text}' for name, text in row.items()) + "}\n" for row in rows
        )
        self._file.write("".join(lines).encode())

    def close(self) -> None:
        self._file.close()


class _Csv:
    """A header, then a record a row; lines end with CRLF, as RFC 4180 says."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self._file: BinaryIO = path.open("wb")
        self._schema = dict.fromkeys(names, pl.String())
        self._write(pl.DataFrame(schema=self._schema), header=True)

    def write(self, rows: list[Row]) -> None:
        self._write(pl.DataFrame(rows, schema=self._schema, orient="row"), header=False)

    def _write(self, rows: pl.DataFrame, *, header: bool) -> None:
        rows.write_csv(self._file, include_header=header, line_terminator="\r\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """Row groups of the contract's schema, with REQUIRED columns and footer entries (D2)."""

    def __init__(self, path: Path, export: Export, unit: str, fingerprint: str) -> None:
        self._polars = polars_schema(export, CURRENT_VERSION, unit)
        about = entries(export.name, CURRENT_VERSION, fingerprint)
        self._arrow = arrow_schema(export, CURRENT_VERSION, unit).with_metadata(about)
        self._writer = _parquet.ParquetWriter(
            path, self._arrow, compression="zstd", compression_level=3, store_schema=False
        )

    def write(self, rows: list[Row]) -> None:
        held = pl.DataFrame(rows, schema=_in_microseconds(self._polars), orient="row")
        table = cast("Any", held.cast(self._polars).to_arrow())
        self._writer.write_table(table.cast(self._arrow))

    def close(self) -> None:
        self._writer.close()


def _in_microseconds(schema: pl.Schema) -> pl.Schema:
    """The schema of Python's times, which are cut to the file's unit afterwards."""
    times = {
        name: pl.Datetime("us", "UTC")
        for name, dtype in schema.items()
        if isinstance(dtype, pl.Datetime)
    }
    return pl.Schema({**schema, **times})
