"""Rows of files of calls out of payloads (C2, C3, C4).

A value is written as the JSON text that came in, or flat (CSV, Parquet) as text, a time, or
nothing. What a column cannot hold as it was stays in `extra` under its own name, so the
payload can be told from the row in every format.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, cast

from cio_pipeline.contracts.declare import ColumnType
from cio_pipeline.contracts.exports.calls import COLUMNS
from cio_pipeline.files.call_made import clean, email_of, looks_made, made_id
from cio_pipeline.files.call_times import is_exact, is_written, text_of, time_of
from cio_pipeline.model.json_text import decoded, fields

Row: TypeAlias = dict[str, Any]
"""Values by column; a column that the row does not have is not in it."""

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

_NOT_A_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Call:
    """A call as the source holds it."""

    call_id: str
    type: str
    received_at: datetime
    payload: str


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


_WRITERS: Mapping[str, Write] = {"json": as_json, "csv": as_csv, "parquet": as_cell}


def member_of(column: str) -> str:
    """The payload's member that a column holds."""
    return _NAMES.get(column, column)


def slug(name: str) -> str:
    """An event's name in lower case, its words joined by `_` (C2)."""
    return _NOT_A_WORD.sub("_", name).strip("_").lower()


def call_row(call: Call, kind: str, file_format: str, unit: str) -> Row:
    """The row of a call of a type; raises NotJson if its payload is no JSON object.

    In JSON files values are JSON text, in CSV text, in Parquet text and times.
    """
    found = {name: _one_line(raw) for name, raw in fields(call.payload).items()}
    row: Row = {}
    held: set[str] = set()
    for column in COLUMNS[kind]:
        name = member_of(column.name)
        raw = found.get(name)
        if raw is None or column.name in MADE_COLUMNS:
            continue
        is_json = column.name in JSON_COLUMNS
        value = Value(raw) if is_json else _WRITERS[file_format](raw, column.type, unit)
        row[column.name] = value.value
        if value.whole:
            held.add(name)
    held -= _required(call, found, row, file_format)
    flat = file_format != "json"
    if kind == "track":
        _name_event(found.get("event", ""), row, flat=flat)
    elif kind == "identify" and _use_email(found, row, flat=flat):
        held.discard("userId")
    if found.get("type") == f'"{kind}"':
        held.add("type")
    rest = [f"{json.dumps(name)}:{raw}" for name, raw in found.items() if name not in held]
    if rest:
        row["extra"] = f"{{{','.join(rest)}}}"
    return {column.name: row[column.name] for column in COLUMNS[kind] if column.name in row}


def _required(call: Call, found: Mapping[str, str], row: Row, file_format: str) -> set[str]:
    """Give the row an id and the time it was received at.

    Returns the members that `extra` has to hold, since these are not from them or could be taken
    for made.
    """
    unheld = {"receivedAt"}
    sent_id = found.get("messageId", "")
    if not _is_text(sent_id):
        own = made_id(call.call_id)
        row["message_id"] = json.dumps(own) if file_format == "json" else own
        unheld.add("messageId")
    elif looks_made(cast("str", decoded(sent_id))):
        unheld.add("messageId")
    if time_of(decoded(found.get("receivedAt", "null"))) != call.received_at:
        at = text_of(call.received_at)
        written = {"json": json.dumps(at), "csv": at, "parquet": call.received_at}
        row["received_at"] = written[file_format]
    return unheld


def _name_event(event: str, row: Row, *, flat: bool) -> None:
    if event.startswith('"'):
        text = slug(cast("str", decoded(event)))
        row["event"] = clean(text) if flat else json.dumps(text)


def _use_email(found: Mapping[str, str], row: Row, *, flat: bool) -> bool:
    """C4: without a user id, an identify call is about whom its email names.

    Whether it is so, or could be taken to be so.
    """
    email = email_of(found.get("traits", ""))
    if email is None:
        return False
    user = found.get("userId", "null")
    if user not in {"null", '""'}:
        return _is_text(user) and clean(cast("str", decoded(user))) == clean(email)
    row["user_id"] = clean(email) if flat else json.dumps(email)
    return True


def _is_text(raw: str) -> bool:
    return raw.startswith('"') and raw != '""'


def _one_line(raw: str) -> str:
    """JSON text without line breaks, which it only has between its parts."""
    return raw.replace("\n", " ").replace("\r", " ")
