"""Partition values as a table's log writes them: text, by Delta's protocol."""

from datetime import UTC, datetime

import polars as pl


def partition_value(text: str | None, dtype: pl.DataType) -> object:
    """A value of a partition column; the empty text is null. Raises ValueError for another type."""
    if text is None or text == "":
        return None
    if dtype == pl.String():
        return text
    if dtype.is_integer():
        return int(text)
    if dtype == pl.Boolean() and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if isinstance(dtype, pl.Datetime):
        return _time(text, utc=dtype.time_zone is not None)
    raise ValueError(dtype)


def _time(text: str, *, utc: bool) -> datetime:
    """Times without an offset are in UTC."""
    time = datetime.fromisoformat(text)
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware if utc else aware.replace(tzinfo=None)
