"""Giving rows the columns and dtypes of a source table, or saying why that cannot be."""

from collections.abc import Sequence

import polars as pl

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.model.errors import ColumnMismatch, InvalidConfig
from cio_pipeline.model.times import EARLIEST, LATEST, micros

_THOUSAND = 1000
_FIRST, _LAST = map(micros, (EARLIEST, LATEST))
"""The times that there are, in microseconds."""


def fitted(rows: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """The rows as `shaped` gives them, if they can be told apart.

    Raises what `shaped` raises, and InvalidConfig for rows that lack a part of their identity and
    for identities that occur twice in a mutable table.
    """
    found = shaped(rows, table)
    _require_identity(found, table)
    if table.kind is TableKind.MUTABLE:
        _require_unique(found, table)
    return found


def in_arrival(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows numbered from 1 as they stand, where a table keeps that and they do not tell it."""
    if ARRIVAL not in rows.columns or rows[ARRIVAL].null_count() < rows.height:
        return rows
    numbers = pl.int_range(1, rows.height + 1, dtype=pl.Int64, eager=True)
    return rows.with_columns(numbers.alias(ARRIVAL))


def shaped(rows: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """The rows with the declared columns in the contract's dtypes; missing nullable ones are null.

    Integers of any width, whole numbers among decimals and floats, timestamps of any unit and zone
    (none is UTC), categories as strings are cast if no value is lost. Raises ColumnMismatch naming
    columns and types.
    """
    check_names(rows.columns, table)
    return rows.select(
        _cast(rows, name, dtype, table.name).alias(name)
        for name, dtype in source_schema(table).items()
    )


def check_names(names: Sequence[str], table: SourceTable) -> None:
    """Raise ColumnMismatch for unknown columns and for required ones that are missing."""
    declared = {column.name for column in table.columns}
    unknown = [name for name in names if name not in declared]
    missing = [c.name for c in table.columns if c.required and c.name not in names]
    if unknown:
        raise ColumnMismatch(
            f"Table {table.name} has no column {', '.join(unknown)}.",
            f"Remove or rename it; its columns are {', '.join(sorted(declared))}.",
        )
    if missing:
        raise ColumnMismatch(
            f"The rows for table {table.name} lack the required column {', '.join(missing)}.",
            "Add it; docs/source-tables.md says what it holds.",
        )


def _cast(rows: pl.DataFrame, name: str, expected: pl.DataType, table: str) -> pl.Series:
    if name not in rows.columns:
        return pl.Series(name, [None], dtype=expected).new_from_index(0, rows.height)
    column = rows[name]
    found = _converted(column, expected, table)
    if found.null_count() > column.null_count():
        raise _mismatch(table, name, column.dtype, expected)
    return found


def converted(column: pl.Series, table: SourceTable) -> pl.Series:
    """The values of a column in the contract's dtype; null where one would be lost.

    Raises ColumnMismatch for a type that none of its values fits.
    """
    return _converted(column, source_schema(table)[column.name], table.name)


def _converted(column: pl.Series, expected: pl.DataType, table: str) -> pl.Series:
    if not _castable(column.dtype, expected):
        raise _mismatch(table, column.name, column.dtype, expected)
    if isinstance(column.dtype, pl.Datetime):
        return _instants(column, column.dtype.time_unit)
    if column.dtype.is_float() or column.dtype.is_decimal():
        return _whole(column)
    return column.cast(expected, strict=False)


def _castable(found: pl.DataType, expected: pl.DataType) -> bool:
    if found in (expected, pl.Null()):
        return True
    if expected == pl.Int64():
        return found.is_numeric()
    if isinstance(expected, pl.Datetime):
        return isinstance(found, pl.Datetime)
    if expected == pl.String():
        return isinstance(found, pl.Categorical | pl.Enum)
    return isinstance(found, pl.List) and isinstance(expected, pl.List) and found.inner == pl.Null()


_EXACT = {pl.Float64: 2**53, pl.Float32: 2**24, pl.Float16: 2**11}
"""Below that, a float is the only whole number that is near it."""


def _whole(column: pl.Series) -> pl.Series:
    """Whole numbers as integers; null for what is none, or not surely the one that was meant.

    Warehouses unload integers as decimals, and pandas makes floats of those with nulls.
    """
    number = pl.col(column.name)
    found = number.cast(pl.Int64, strict=False)
    same = found.cast(column.dtype, strict=False) == number
    limit = next((most for dtype, most in _EXACT.items() if column.dtype == dtype), None)
    sure = same if limit is None else same & (number.abs() < limit)
    return pl.DataFrame([column]).select(pl.when(sure).then(found)).to_series()


def _instants(column: pl.Series, unit: str) -> pl.Series:
    """Times of any unit and zone (none is UTC) as UTC in microseconds; null for what is lost.

    Numbers are compared, since Polars panics when it casts or prints some times.
    """
    ticks = pl.col(column.name)
    match unit:
        case "ms":
            times, kept = (
                ticks * _THOUSAND,
                ticks.is_between(_FIRST // _THOUSAND, _LAST // _THOUSAND),
            )
        case "us":
            times, kept = ticks, ticks.is_between(_FIRST, _LAST)
        case _:
            times, kept = ticks // _THOUSAND, ticks % _THOUSAND == 0
    frame = pl.DataFrame([column.to_physical()])
    found = frame.select(pl.when(kept).then(times)).to_series().alias(column.name)
    return found.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _mismatch(table: str, name: str, found: pl.DataType, expected: pl.DataType) -> ColumnMismatch:
    return ColumnMismatch(
        f"Column {name} of the rows for table {table} is {found}, which does not become {expected} "
        "without loss.",
        "Convert it first.",
    )


def _require_identity(rows: pl.DataFrame, table: SourceTable) -> None:
    for name in table.identity:
        nulls = rows[name].null_count()
        if nulls:
            raise InvalidConfig(
                f"{nulls} row(s) for table {table.name} have no {name}, which is part of the "
                "identity.",
                "Fill it in, or leave those rows out.",
            )


def _require_unique(rows: pl.DataFrame, table: SourceTable) -> None:
    twice = rows.height - rows.select(table.identity).n_unique()
    if twice:
        raise InvalidConfig(
            f"{twice} row(s) for table {table.name} repeat the identity "
            f"({', '.join(table.identity)}) of another row of the same load.",
            "Keep the newest row of each, or load them one after another.",
        )
