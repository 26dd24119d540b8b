"""From a row of a file of calls back to the payload that the SDK sent (C3)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cio_pipeline.contracts.exports.calls import COLUMNS
from cio_pipeline.files.call_made import clean, email_of, looks_made
from cio_pipeline.files.call_rows import JSON_COLUMNS, MADE_COLUMNS, member_of
from cio_pipeline.files.call_times import written
from cio_pipeline.model.json_text import decoded, fields


def payload_of_line(line: str, kind: str) -> str:
    """The payload's JSON text, from a line of a JSON file of that type of calls.

    All that the SDK sent and nothing else, its members in another order; `type` in the seed's
    spelling where it was left out or spelled so. Raises NotJson.
    """
    return _payload(fields(line), kind)


def payload_of_cells(cells: Mapping[str, Any], kind: str) -> str:
    """The same, from a record of a CSV file (texts; empty ones are absent) or a row of Parquet.

    Of Parquet, absent values are None, times are aware datetimes. Raises NotJson.
    """
    is_parquet = isinstance(cells.get("received_at"), datetime)  # which is always there
    absent = (None,) if is_parquet else (None, "")
    there = {name: value for name, value in cells.items() if value not in absent}
    return _payload({name: _as_json(name, value) for name, value in there.items()}, kind)


def _as_json(column: str, value: Any) -> str:
    if column in JSON_COLUMNS or column == "extra":
        return value
    return json.dumps(written(value) if isinstance(value, datetime) else value)


def _payload(row: Mapping[str, str], kind: str) -> str:
    """The payload of a row of JSON texts: its columns but for those made, then `extra`."""
    sent = fields(row["extra"]) if "extra" in row else {}
    columns = [column.name for column in COLUMNS[kind] if column.name not in MADE_COLUMNS]
    held = {member_of(name): row[name] for name in columns if name in row}
    made = {name for name in _made(held, kind) if name not in sent}
    found = {"type": json.dumps(kind), **held, **sent}
    pairs = (f"{json.dumps(name)}:{raw}" for name, raw in found.items() if name not in made)
    return "{" + ",".join(pairs) + "}"


def _made(held: Mapping[str, str], kind: str) -> set[str]:
    """The members that were made, unless `extra` says that they were sent."""
    made = {"receivedAt"}
    if looks_made(_text(held.get("messageId", '""'))):
        made.add("messageId")
    email = email_of(held.get("traits", "")) if kind == "identify" else None
    if email is not None and clean(email) == clean(_text(held.get("userId", '""'))):
        made.add("userId")
    return made


def _text(raw: str) -> str:
    value = decoded(raw)
    return value if isinstance(value, str) else ""
