"""Reading files of rows for a source table: CSV, NDJSON and Parquet, told apart by their suffix.

CSV: a header; an empty cell is null, or the empty string in required string columns; times are ISO
8601, UTC unless they have an offset; booleans are true, false, 1, 0; lists are JSON arrays.
NDJSON: one object a line with values of the column's own JSON type, times as in CSV.
Parquet: columns of a type that fits without loss (`fit.fitted`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import polars as pl
from polars.exceptions import PolarsError

from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import NotJson, decoded
from cio_pipeline.sources.cells import FORMS, first_bad, is_strings, parsed, times
from cio_pipeline.sources.fit import check_names, fitted, shaped

_INT64 = 2**63


def read_files(files: Sequence[Path], table: SourceTable) -> pl.DataFrame:
    """The rows of several files in the table's dtypes, to be committed at once.

    Raises InvalidConfig naming the file, and the row and column of a bad value (the first row is
    1, headers not counted); ColumnMismatch for unknown, missing or mistyped columns.
    """
    if not files:
        raise InvalidConfig("No file was given.", "Name one or more files.")
    return fitted(pl.concat([_read(file, table) for file in files]), table)


def _read(file: Path, table: SourceTable) -> pl.DataFrame:
    readers: dict[str, Callable[[Path, SourceTable], pl.DataFrame]] = {
        ".csv": _csv,
        ".ndjson": _ndjson,
        ".jsonl": _ndjson,
        ".parquet": _parquet,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise InvalidConfig(f"{file.name} has none of the suffixes {', '.join(readers)}.")
    try:
        return reader(file, table)
    except OSError as error:
        raise InvalidConfig(f"{file.name} cannot be read: {error.strerror}.") from error
    except (PolarsError, UnicodeDecodeError) as error:
        raise InvalidConfig(
            f"{file.name} is no readable {file.suffix[1:]} file ({type(error).__name__}).",
            "Check its quoting and that it is UTF-8." if file.suffix != ".parquet" else "",
        ) from error


def _parquet(file: Path, table: SourceTable) -> pl.DataFrame:
    with file.open("rb") as content:
        rows = pl.read_parquet(content)
    return shaped(rows, table)


def _csv(file: Path, table: SourceTable) -> pl.DataFrame:
    with file.open("rb") as content:
        text = pl.read_csv(content, infer_schema=False)
    check_names(text.columns, table)
    values: list[pl.Series] = []
    for column in table.columns:
        if column.name not in text.columns:
            continue
        cells = text[column.name]
        values.append(parsed(cells, column))
        bad = first_bad(cells, values[-1])
        if bad is not None:
            raise _bad(file, bad + 1, column)
    return shaped(pl.DataFrame(values), table)


def _ndjson(file: Path, table: SourceTable) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {column.name: [] for column in table.columns}
    unknown: dict[str, None] = {}
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate((line for line in lines if line.strip()), 1):
            row = _object(file, number, line)
            unknown |= dict.fromkeys(name for name in row if name not in columns)
            for column in table.columns:
                columns[column.name].append(_value(file, number, column, row.get(column.name)))
    check_names([*columns, *unknown], table)
    schema = source_schema(table)
    values = [
        _times(file, column, columns[column.name])
        if column.type is ColumnType.TIMESTAMP
        else pl.Series(column.name, columns[column.name], schema[column.name])
        for column in table.columns
    ]
    return pl.DataFrame(values)


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = decoded(line)
    except NotJson as error:
        raise InvalidConfig(f"Row {number} of {file.name} {error}.") from error
    if not isinstance(row, dict):
        raise InvalidConfig(f"Row {number} of {file.name} is no JSON object.")
    return row


def _value(file: Path, number: int, column: SourceColumn, value: Any) -> Any:
    if value is None or _fits(value, column.type):
        return value
    raise _bad(file, number, column)


def _fits(value: Any, kind: ColumnType) -> bool:
    match kind:
        case ColumnType.INTEGER:
            return (
                isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
            )
        case ColumnType.BOOLEAN:
            return isinstance(value, bool)
        case ColumnType.STRINGS:
            return is_strings(value)
        case _:
            return isinstance(value, str)


def _times(file: Path, column: SourceColumn, texts: list[str | None]) -> pl.Series:
    cells = pl.Series(column.name, texts, pl.String)
    values = times(cells)
    bad = cells.is_not_null() & values.is_null()
    if bad.any():
        raise _bad(file, cast("int", bad.arg_max()) + 1, column)
    return values


def _bad(file: Path, number: int, column: SourceColumn) -> InvalidConfig:
    return InvalidConfig(
        f"Row {number} of {file.name} has a {column.name} that is not {FORMS[column.type]}.",
        "Correct it; nothing was loaded.",
    )
