"""Writing one file of calls, some rows at a time: JSON lines, CSV (RFC 4180), or Parquet (C3)."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import polars as pl

from cio_pipeline.contracts.arrow import arrow
from cio_pipeline.contracts.declare import CURRENT_VERSION, Export
from cio_pipeline.contracts.dtypes import arrow_schema, polars_schema
from cio_pipeline.files.json_objects import bytes_of, objects_of


class _Writer(Protocol):
    def write(self, rows: pl.DataFrame) -> None: ...

    def close(self) -> None: ...


class CallFile:
    """A file that is being written, some rows at a time; `rows` counts them.

    `about` are the entries of a Parquet footer. A table's columns are those of the type's files, as
    `call_table` makes them.
    """

    def __init__(
        self, path: Path, export: Export, file_format: str, unit: str, about: Mapping[str, str]
    ) -> None:
        self.path, self.rows = path, 0
        self._writer = _opened(path, export, file_format, unit, about)

    def write(self, rows: pl.DataFrame) -> None:
        """The next rows."""
        self._writer.write(rows)
        self.rows += rows.height

    def close(self) -> None:
        """The file is whole then."""
        self._writer.close()

    def drop(self) -> None:
        """Give up a file that will not be whole; its disk may be full."""
        with suppress(OSError):
            self._writer.close()


def _opened(
    path: Path, export: Export, file_format: str, unit: str, about: Mapping[str, str]
) -> _Writer:
    if file_format == "json":
        return _Json(path)
    if file_format == "csv":
        return _Csv(path, [column.name for column in export.columns])
    return _Parquet(path, export, unit, about)


class _Json:
    """One object a line, out of the JSON texts of its values."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def write(self, rows: pl.DataFrame) -> None:
        there = {f'"{one.name}"': one for one in rows if one.null_count() < len(one)}
        self._file.write(bytes_of(objects_of(there, end="\n")))

    def close(self) -> None:
        self._file.close()


class _Csv:
    """A header, then a record a row; lines end with CRLF, as RFC 4180 says."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self._file: BinaryIO = path.open("wb")
        self._write(pl.DataFrame(schema=dict.fromkeys(names, pl.String())), header=True)

    def write(self, rows: pl.DataFrame) -> None:
        self._write(rows, header=False)

    def _write(self, rows: pl.DataFrame, *, header: bool) -> None:
        rows.write_csv(self._file, include_header=header, line_terminator="\r\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """Row groups of the contract's schema, with REQUIRED columns and footer entries (D2)."""

    def __init__(self, path: Path, export: Export, unit: str, about: Mapping[str, str]) -> None:
        self._polars = polars_schema(export, CURRENT_VERSION, unit)
        self._arrow = arrow_schema(export, CURRENT_VERSION, unit).with_metadata(dict(about))
        self._writer = arrow("parquet").ParquetWriter(
            path, self._arrow, compression="zstd", compression_level=3, store_schema=False
        )

    def write(self, rows: pl.DataFrame) -> None:
        table = cast("Any", rows.cast(self._polars).rechunk().to_arrow())
        self._writer.write_table(table.cast(self._arrow))

    def close(self) -> None:
        self._writer.close()
