"""What a consumer makes of files of calls, and the payload that a row came from (docs/calls.md).

Written from the page alone: a payload is its columns without what was made, then `extra`.
"""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from cio_pipeline.files.call_members import taken_apart
from cio_pipeline.files.call_table import call_table

TEXTS = {
    "message_id": "messageId",
    "anonymous_id": "anonymousId",
    "user_id": "userId",
    "name": "name",
    "category": "category",
    "group_id": "groupId",
    "previous_id": "previousId",
    "event_text": "event",
}
TIMES = {
    "timestamp": "timestamp",
    "original_timestamp": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
}
OBJECTS = ("context", "integrations", "traits", "properties")


def exact(text: str) -> Any:
    """A JSON value in which numbers are told apart to the last digit."""
    return json.loads(text, parse_int=lambda n: ("number", n), parse_float=lambda n: ("number", n))


def read_json(path: Path) -> list[dict[str, Any]]:
    return [exact(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Cells as text, equal under three readers; an empty one is nothing."""
    csv.field_size_limit(2**30)
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    polars = pl.read_csv(path, infer_schema=False)
    duck = duckdb.read_csv(str(path), header=True, all_varchar=True, max_line_size=2**27)
    assert polars.columns == duck.columns == header
    assert [[cell or "" for cell in row] for row in polars.iter_rows()] == rows
    assert [[cell or "" for cell in row] for row in duck.fetchall()] == rows
    found = [dict(zip(header, row, strict=True)) for row in rows]
    return [_cells({name: cell or None for name, cell in row.items()}) for row in found]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """Values, equal under two readers."""
    rows = pq.read_table(path).to_pylist()
    duck = duckdb.read_parquet(str(path))
    found = [dict(zip(duck.columns, row, strict=True)) for row in duck.fetchall()]
    assert [{k: _utc(v) for k, v in row.items()} for row in found] == rows
    return [_cells(row) for row in rows]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """What is there; objects as values, times as text."""
    there = {name: value for name, value in row.items() if value is not None}
    for name, value in there.items():
        if name in {*OBJECTS, "extra"}:
            there[name] = exact(value)
        elif isinstance(value, datetime):
            digits = "microseconds" if value.microsecond % 1000 else "milliseconds"
            there[name] = value.isoformat(timespec=digits).replace("+00:00", "Z")
    return there


def table_of(
    payload: str, kind: str, file_format: str, unit: str = "us", call_id: str = "made"
) -> pl.DataFrame:
    """The row of one call that was received at noon; raises NotJson."""
    parts, failed = taken_apart(pl.Series([payload]))
    for error in failed.values():
        raise error
    noon = (datetime(2026, 3, 1, 12, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    call = pl.DataFrame({"call_id": [call_id], "received_at": [int(noon) * 1_000_000]})
    return call_table(call, parts[0], kind, file_format, unit)


READERS = {"json": read_json, "csv": read_csv, "parquet": read_parquet}


def payload_of(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """The payload that a row came from, and nothing that was made for it (B12)."""
    found: dict[str, Any] = {"type": kind}
    for names in (TEXTS, TIMES):
        found |= {member: row[column] for column, member in names.items() if column in row}
    found |= {name: row[name] for name in OBJECTS if name in row}
    extra = row.get("extra", {})
    made = {"receivedAt"}
    if re.fullmatch("[0-9a-f]{32}", str(found["messageId"])):
        made.add("messageId")
    if kind == "identify" and found.get("userId") in _emails(found):
        made.add("userId")
    return {name: value for name, value in found.items() if name not in made} | extra


def _emails(payload: dict[str, Any]) -> list[Any]:
    """The email as a column holds it, in JSON and elsewhere."""
    traits = payload.get("traits")
    email = traits.get("email") if isinstance(traits, dict) else None
    return [email, email.encode(errors="replace").decode()] if isinstance(email, str) else []
