"""Values of files of calls out of payloads (C2, C3).

A value is written as the JSON text that came in, or flat (CSV, Parquet) as text, a time, or
nothing. What a column cannot hold as it was stays in `extra` under its own name, so the
payload can be told from the row in every format.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, cast

from cio_pipeline.contracts.declare import ColumnType
from cio_pipeline.files.call_made import clean
from cio_pipeline.files.call_times import is_exact, is_written, text_of, time_of
from cio_pipeline.model.json_text import decoded

_NAMES = {
    "message_id": "messageId",
    "anonymous_id": "anonymousId",
    "user_id": "userId",
    "original_timestamp": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
    "group_id": "groupId",
    "previous_id": "previousId",
    "event_text": "event",
}
"""Names of members that differ from their column's."""

JSON_COLUMNS = frozenset({"context", "integrations", "traits", "properties"})
"""Columns that hold a member's value as the JSON that it was."""

MADE_COLUMNS = frozenset({"event", "extra"})
"""Columns that hold no member of the payload."""


@dataclass(frozen=True)
class Value:
    """What a column gets, and whether it holds all of what came in."""

    value: Any
    whole: bool = True


Write: TypeAlias = Callable[[str, ColumnType, str], Value]
"""A member's value, from its JSON text, for a column of a type; times have a unit."""


def as_json(raw: str, kind: ColumnType, _unit: str) -> Value:
    """The text that came in; a time that is none becomes null."""
    if kind is ColumnType.TIMESTAMP and time_of(decoded(raw)) is None:
        return Value("null", whole=False)
    return Value(raw)


def as_cell(raw: str, kind: ColumnType, unit: str) -> Value:
    """Text or a time; None where there is nothing to be said in one."""
    if raw[0] != '"':
        is_text = kind is ColumnType.STRING and raw != "null"
        return Value(raw if is_text else None, whole=False)
    text = cast("str", decoded(raw))
    if kind is ColumnType.TIMESTAMP:
        time = time_of(text)
        return Value(time, whole=time is not None and is_written(text, time, unit))
    held = clean(text)
    return Value(held, whole=held == text)


def as_csv(raw: str, kind: ColumnType, _unit: str) -> Value:
    """The same as text; an empty cell reads like none, so that the empty text stays in `extra`."""
    cell = as_cell(raw, kind, "us")
    if isinstance(cell.value, datetime):
        text = cast("str", decoded(raw))
        whole = is_exact(text)
        return Value(text if whole else text_of(cell.value), whole)
    return Value(cell.value, cell.whole and cell.value != "")


WRITERS: Mapping[str, Write] = {"json": as_json, "csv": as_csv, "parquet": as_cell}
"""By the format of the files."""


def member_of(column: str) -> str:
    """The payload's member that a column holds."""
    return _NAMES.get(column, column)
