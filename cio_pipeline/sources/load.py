"""Reading files of rows for a source table: CSV, NDJSON and Parquet, told apart by their suffix.

CSV: a header; an empty cell is null, or the empty string in required string columns; times are ISO
8601, UTC unless they have an offset; booleans are true, false, 1, 0; lists are JSON arrays.
NDJSON: one object a line with values of the column's own JSON type, times as in CSV.
Parquet: columns of a type that fits without loss (`fit.converted`).
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.fit import fitted
from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.row_files import Rows, csv_rows, ndjson_rows, parquet_rows

_READERS: dict[str, Callable[[Path, SourceTable], Rows]] = {
    ".csv": csv_rows,
    ".ndjson": ndjson_rows,
    ".jsonl": ndjson_rows,
    ".parquet": parquet_rows,
}


@dataclass(frozen=True)
class ReadRows:
    """Rows in the table's dtypes, to be committed at once, and those that are no such rows."""

    rows: pl.DataFrame
    bad: Sequence[BadLine]


def read_files(files: Sequence[Path], table: SourceTable) -> pl.DataFrame:
    """The rows of several files in the table's dtypes, to be committed at once.

    Raises InvalidConfig naming the file, and the row and column of the first bad value (the first
    row is 1, headers not counted; in NDJSON it is the line); ColumnMismatch for unknown, missing
    or mistyped columns.
    """
    found = read_good_rows(files, table)
    if found.bad:
        first, more = found.bad[0], len(found.bad) - 1
        others = f" {more:,} more row(s) are bad, too." if more else ""
        raise InvalidConfig(
            f"Row {first.line} of {first.file} {first.reason}.{others}",
            "Correct it, or load the others with --quarantine-bad; nothing was loaded.",
        )
    return found.rows


def read_good_rows(files: Sequence[Path], table: SourceTable) -> ReadRows:
    """As `read_files`, with bad rows told and left out."""
    if not files:
        raise InvalidConfig("No file was given.", "Name one or more files.")
    read = [(file.name, _read(file, table)) for file in files]
    bad = [
        BadLine(name, number, rows.bad[number])
        for name, rows in read
        for number in sorted(rows.bad)
    ]
    return ReadRows(fitted(pl.concat([rows.good() for _, rows in read]), table), bad)


def _read(file: Path, table: SourceTable) -> Rows:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InvalidConfig(f"{file.name} has none of the suffixes {', '.join(_READERS)}.")
    try:
        return reader(file, table)
    except OSError as error:
        raise InvalidConfig(f"{file.name} cannot be read: {error.strerror}.") from error
    except PolarsError as error:
        where = _where(file) if reader is csv_rows else f" ({type(error).__name__})."
        raise InvalidConfig(
            f"{file.name} is no readable {file.suffix[1:]} file{where}",
            "" if file.suffix == ".parquet" else "Check its quoting and that it is UTF-8.",
        ) from error


def _where(file: Path) -> str:
    """What is wrong with a CSV file that nobody can read, with the line if it can be told."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f": line {number} is no valid UTF-8."
    with file.open(encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        try:
            cells = len(next(rows, list[str]()))
            for row in rows:
                if len(row) > cells:
                    return f": line {rows.line_num} has {len(row)} cells, the header has {cells}."
        except csv.Error:
            return f": line {rows.line_num} has a cell that does not end."
    return "."
