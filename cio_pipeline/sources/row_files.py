"""Files of rows as values of a source table, with what is wrong, row by row.

A value that its column cannot take is null in the frame, and its row is told as bad: whoever reads
decides what becomes of the others.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import polars as pl

from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.json_text import NotJson, decoded
from cio_pipeline.sources.cells import FORMS, emptied, is_strings, parsed, times
from cio_pipeline.sources.csv_text import COMMA, lines_of, read_csv_text, short_rows
from cio_pipeline.sources.fit import check_names, converted, shaped
from cio_pipeline.sources.json_lines import numbered_lines

_INT64 = 2**63


@dataclass(frozen=True)
class Rows:
    """The rows of a file in the table's dtypes, and the reason for each that is bad.

    `numbers` are the lines that they begin with, from 1; of Parquet, their numbers. Rows of which
    nothing can be read are in `bad` alone. `names` are the columns that the file has.
    """

    values: pl.DataFrame
    numbers: Sequence[int]
    bad: Mapping[int, str]
    names: Collection[str] = ()

    def good(self) -> pl.DataFrame:
        """The rows that are not bad."""
        numbers = pl.Series(self.numbers, dtype=pl.Int64)
        return self.values.filter(~numbers.is_in(list(self.bad)))


def csv_rows(file: Path, table: SourceTable, delimiter: str = COMMA) -> Rows:
    """Rows of a CSV file; raises OSError, PolarsError, ColumnMismatch."""
    text = read_csv_text(file, delimiter)
    check_names(text.columns, table)
    columns = [column for column in table.columns if column.name in text.columns]
    values = [parsed(text[column.name], column) for column in columns]
    bad: dict[int, str] = {}
    for column, found in zip(columns, values, strict=True):
        _mark(bad, column, emptied(text[column.name]).is_not_null() & found.is_null())
    if text.width > 1 and text[text.columns[-1]].null_count():
        # The library fills rows that end too early with nulls.
        for number, cells in short_rows(file, text.height, text.width, delimiter).items():
            bad[number] = f"has {cells} cells, the header has {text.width}"
    rows = replace(_rows(shaped(pl.DataFrame(values), table), table, bad), names=text.columns)
    if not rows.bad:
        return rows
    lines = lines_of(file, text.height, delimiter)
    told = {lines[number - 1]: reason for number, reason in rows.bad.items()}
    return Rows(rows.values, lines, told, rows.names)


def parquet_rows(file: Path, table: SourceTable) -> Rows:
    """Rows of a Parquet file; raises OSError, PolarsError, ColumnMismatch."""
    with file.open("rb") as content:
        rows = pl.read_parquet(content)
    check_names(rows.columns, table)
    bad: dict[int, str] = {}
    values: list[pl.Series] = []
    for column in table.columns:
        if column.name in rows.columns:
            values.append(converted(rows[column.name], table))
            _mark(bad, column, rows[column.name].is_not_null() & values[-1].is_null())
    found = _rows(shaped(pl.DataFrame(values), table), table, bad)
    return replace(found, names=rows.columns)


def ndjson_rows(file: Path, table: SourceTable) -> Rows:
    """Rows of an NDJSON file; raises OSError, ColumnMismatch."""
    cells: dict[str, list[Any]] = {column.name: [] for column in table.columns}
    names: dict[str, None] = {}
    bad: dict[int, str] = {}
    numbers: list[int] = []
    with file.open("rb") as lines:
        for number, line in numbered_lines(lines):
            try:
                row = _object(line)
            except NotJson as error:
                bad[number] = str(error)
                continue
            numbers.append(number)
            names |= dict.fromkeys(row)
            for column in table.columns:
                value = row.get(column.name)
                wrong = _wrong(value, column)
                if wrong is not None:
                    _add(bad, number, wrong)
                cells[column.name].append(value if wrong is None else None)
    check_names([*cells, *names], table)
    schema = source_schema(table)
    values: list[pl.Series] = []
    for column in table.columns:
        if column.type is ColumnType.TIMESTAMP:
            texts = pl.Series(column.name, cells[column.name], pl.String)
            values.append(times(texts))
            _mark(bad, column, texts.is_not_null() & values[-1].is_null(), numbers)
        else:
            values.append(pl.Series(column.name, cells[column.name], schema[column.name]))
    return replace(_rows(pl.DataFrame(values), table, bad, numbers), names=names)


def _rows(
    values: pl.DataFrame,
    table: SourceTable,
    bad: dict[int, str],
    numbers: Sequence[int] | None = None,
) -> Rows:
    """With the rows that lack a part of their identity, which nothing could find again."""
    found = range(1, values.height + 1) if numbers is None else numbers
    for name in table.identity:
        for at in _places(values[name].is_null()):
            bad.setdefault(found[at], f"has no {name}, which is part of the identity")
    return Rows(values, found, bad)


def _mark(
    bad: dict[int, str],
    column: SourceColumn,
    wrong: pl.Series,
    numbers: Sequence[int] | None = None,
) -> None:
    for at in _places(wrong):
        _add(bad, at + 1 if numbers is None else numbers[at], _not_of(column))


def _add(bad: dict[int, str], number: int, reason: str) -> None:
    """All that is wrong with a row is told at once."""
    known = bad.get(number)
    bad[number] = reason if known is None else f"{known}; {reason}"


def _places(wrong: pl.Series) -> list[int]:
    return cast("list[int]", wrong.arg_true().to_list())


def _not_of(column: SourceColumn) -> str:
    return f"has {_a(column.name)} that is not {FORMS[column.type]}"


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = decoded(line.decode())
    except UnicodeDecodeError:
        raise NotJson("is no valid UTF-8") from None
    if not isinstance(row, dict):
        raise NotJson("is no JSON object")
    return row


def _wrong(value: Any, column: SourceColumn) -> str | None:
    """What is wrong with a JSON value of a column; None if nothing is."""
    if value is None:
        return None
    if not _fits(value, column.type):
        return _not_of(column)
    texts: list[object] = cast("list[object]", value) if isinstance(value, list) else [value]
    if all(_is_text(text) for text in texts if isinstance(text, str)):
        return None
    return f"has {_a(column.name)} with half of a surrogate pair, which no file can hold"


def _a(name: str) -> str:
    return f"an {name}" if name.startswith(("a", "e", "i", "o", "up")) else f"a {name}"


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


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
