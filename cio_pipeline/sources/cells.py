"""Text cells as values of the contract's types: CSV cells, and timestamps in NDJSON."""

import re
from typing import TypeGuard, cast

import polars as pl

from cio_pipeline.contracts.declare import ColumnType, SourceColumn
from cio_pipeline.model.json_text import NotJson, decoded
from cio_pipeline.model.times import EARLIEST, HOUR, LATEST, MINUTE

_TIME = (
    r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,6})?))?)?"
    rf" ?(?:[Zz]|([+-])({HOUR})(?::?({MINUTE}))?)?$"
)
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

FORMS = {
    ColumnType.INTEGER: "a whole number of 64 bits",
    ColumnType.STRING: "a string",
    ColumnType.BOOLEAN: "true, false, t, f, 1 or 0",
    ColumnType.TIMESTAMP: "an ISO 8601 time of the years 1 to 9999 down to microseconds",
    ColumnType.STRINGS: "a JSON array of strings, or an array like {a,b}",
}
"""What a cell must look like, for messages."""


def parsed(cells: pl.Series, column: SourceColumn) -> pl.Series:
    """The values of text cells; null where a cell is null, empty or not of the column's type.

    Empty strings stay in required string columns, where null cells become empty strings too.
    """
    if column.type is ColumnType.STRING:
        return cells.fill_null("") if column.required else emptied(cells)
    given = emptied(cells)
    match column.type:
        case ColumnType.INTEGER:
            return given.cast(pl.Int64, strict=False)
        case ColumnType.BOOLEAN:
            return given.str.to_lowercase().replace_strict(
                _TRUTH, default=None, return_dtype=pl.Boolean
            )
        case ColumnType.TIMESTAMP:
            return times(given)
        case _:
            return pl.Series(cells.name, [_strings(cell) for cell in given], pl.List(pl.String))


def emptied(cells: pl.Series) -> pl.Series:
    """The cells, null for empty ones."""
    return cells.replace("", None)


def times(cells: pl.Series) -> pl.Series:
    """ISO 8601 texts as UTC times, those without a zone being UTC; null for anything else (D24)."""
    part = pl.col("text").str.extract
    clock = pl.format(
        "{}T{}:{}",
        part(_TIME, 1),
        part(_TIME, 2).fill_null("00:00"),
        part(_TIME, 3).fill_null("00"),
    )
    naive = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    hours, rest = part(_TIME, 5).cast(pl.Int64), part(_TIME, 6).cast(pl.Int64)
    minutes = hours * 60 + rest.fill_null(0)
    offset = pl.duration(minutes=minutes.fill_null(0))
    shifted = pl.when(part(_TIME, 4) == "-").then(naive + offset).otherwise(naive - offset)
    utc = shifted.dt.replace_time_zone("UTC")
    frame = pl.DataFrame({"text": cells.cast(pl.String)})
    there = pl.when(utc.is_between(EARLIEST, LATEST)).then(utc)
    return frame.select(there).to_series().alias(cells.name)


_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^",{}\\\s]|\\.)(?:[^",{}\\]|\\.)*)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _array(cell: str) -> list[str | None] | None:
    """The elements of an array as PostgreSQL writes it; None if it is none of one dimension."""
    text, found = cell[1:-1], list[str | None]()
    if not cell.endswith("}") or cell == "{":
        return None
    at = 0
    while at < len(text) or found:
        element = _ELEMENT.match(text, at)
        if element is None:
            return None
        quoted: str | None = element[1]
        written = quoted if quoted is not None else str(element[2])
        null = quoted is None and written.upper() == "NULL"
        found.append(None if null else _ESCAPED.sub(r"\1", written))
        at = element.end()
        if at == len(text):
            break
        if text[at] != ",":
            return None
        at += 1
    return found


def _strings(cell: str | None) -> list[str | None] | None:
    if cell is None:
        return None
    if cell.startswith("{"):
        return _array(cell)
    try:
        found: object = decoded(cell)
    except NotJson:
        return None
    return found if is_strings(found) else None


def is_strings(value: object) -> TypeGuard[list[str | None]]:
    """Whether a JSON value is an array of strings and nulls."""
    if not isinstance(value, list):
        return False
    return all(item is None or isinstance(item, str) for item in cast("list[object]", value))
