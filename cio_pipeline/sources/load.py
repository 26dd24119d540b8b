r"""Reading files of rows for a source table: CSV, NDJSON and Parquet, told apart by their suffix.

CSV: a header; an empty cell or `\N` is null, or the empty string in required string columns; times
are ISO 8601, UTC unless they have an offset; booleans are true, false, t, f, 1, 0; lists are JSON
arrays, or arrays as PostgreSQL writes them.
NDJSON: one object a line with values of the column's own JSON type, times as in CSV.
Parquet: columns of a type that fits without loss (`fit.converted`).
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.model.errors import ColumnMismatch, InvalidConfig
from cio_pipeline.sources.csv_text import COMMA
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
    """Rows in the table's dtypes, to be committed at once, and those that are no such rows.

    The rows of a mutable table have the columns that the files have: the others stay as they are.
    """

    rows: pl.DataFrame
    bad: Sequence[BadLine]


def files_in(places: Sequence[Path]) -> list[Path]:
    """The files as they are named, and of folders all that can be read; raises InvalidConfig."""
    found: list[Path] = []
    for place in places:
        inside = sorted(one for one in place.glob("*") if one.suffix.lower() in _READERS)
        if place.is_dir() and not inside:
            raise InvalidConfig(f"{place} holds no file that ends in {', '.join(_READERS)}.")
        found += inside if place.is_dir() else [place]
    return found


def bad_rows_error(bad: Sequence[BadLine]) -> InvalidConfig:
    """Why files with bad rows are not loaded."""
    first, more = bad[0], len(bad) - 1
    others = f" {more:,} more row(s) are bad, too." if more else ""
    what = "Row" if first.file.lower().endswith(".parquet") else "Line"
    return InvalidConfig(
        f"{what} {first.line} of {first.file} {first.reason}.{others}",
        "Correct it, or load the others with --quarantine-bad; nothing was loaded.",
    )


def read_good_rows(files: Sequence[Path], table: SourceTable, delimiter: str = COMMA) -> ReadRows:
    """The rows of several files in the table's dtypes, with bad rows told and left out.

    Raises InvalidConfig for files that cannot be read; ColumnMismatch for unknown, missing or
    mistyped columns.
    """
    if not files:
        raise InvalidConfig("No file was given.", "Name one or more files.")
    read = [(file.name, _read(file, table, delimiter)) for file in files]
    bad = [
        BadLine(name, number, rows.bad[number])
        for name, rows in read
        for number in sorted(rows.bad)
    ]
    good = fitted(pl.concat([rows.good() for _, rows in read]), table)
    return ReadRows(good.select(_kept(read, table)), bad)


def _kept(read: Sequence[tuple[str, Rows]], table: SourceTable) -> list[str]:
    """The columns that a load writes; raises ColumnMismatch if its files are not agreed on that."""
    every = [column.name for column in table.columns]
    if table.kind is TableKind.APPEND_ONLY:
        return every
    (first, model), *others = read
    for name, rows in others:
        lacking = set(model.names) ^ set(rows.names)
        if lacking:
            raise ColumnMismatch(
                f"{first} and {name} have different columns: only one has "
                f"{', '.join(sorted(lacking))}.",
                "Load them one after another: a column that a file lacks stays as it is.",
            )
    return [name for name in every if name in model.names]


def _read(file: Path, table: SourceTable, delimiter: str) -> Rows:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InvalidConfig(f"{file.name} has none of the suffixes {', '.join(_READERS)}.")
    try:
        return csv_rows(file, table, delimiter) if reader is csv_rows else reader(file, table)
    except OSError as error:
        raise InvalidConfig(f"{file.name} cannot be read: {error.strerror}.") from error
    except PolarsError as error:
        where = _where(file, delimiter) if reader is csv_rows else f" ({type(error).__name__})."
        raise InvalidConfig(
            f"{file.name} is no readable {file.suffix[1:]} file{where}",
            "" if file.suffix == ".parquet" else "Check its quoting and that it is UTF-8.",
        ) from error


def _where(file: Path, delimiter: str) -> str:
    """What is wrong with a CSV file that nobody can read, with the line if it can be told."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f": line {number} is no valid UTF-8."
    with file.open(encoding="utf-8", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        try:
            cells = len(next(rows, list[str]()))
            for row in rows:
                if len(row) > cells:
                    return f": line {rows.line_num} has {len(row)} cells, the header has {cells}."
        except csv.Error:
            return f": line {rows.line_num} has a cell that does not end."
    return "."
