"""Calls: the columns of each of the six types (C2)."""

import hashlib
import json
from dataclasses import replace

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History, Presence
from cio_pipeline.contracts.exports.words import NULLABLE, REQUIRED, STRING, TIMESTAMP


def _text(name: str, description: str, presence: Presence = NULLABLE) -> Column:
    return Column(name, STRING, presence, description)


def _time(name: str, description: str, presence: Presence = NULLABLE) -> Column:
    return Column(name, TIMESTAMP, presence, description)


_COMMON = (
    _text("message_id", "The call's id; made for it where the SDK sent none.", REQUIRED),
    _text("anonymous_id", "Who called, before they were identified."),
    _text("user_id", "Who called; the email where an identify call has no other (C4)."),
    _time("timestamp", "When it happened, by a corrected clock."),
    _time("original_timestamp", "When it happened, by the device's clock."),
    _time("sent_at", "When the device sent it."),
    _time("received_at", "When the platform received it.", REQUIRED),
    _text("context", "JSON: where it came from."),
    _text("integrations", "JSON: which integrations it was meant for."),
    _text("extra", "JSON object: all that has no column, and what a column could not hold."),
)
_PROPERTIES = _text("properties", "JSON: the properties of the call.")
_TRAITS = _text("traits", "JSON: what is known of whom or what the call is about.")
_VIEWED = (
    _text("name", "The name of what was viewed."),
    _text("category", "Its category."),
    _PROPERTIES,
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "identify": (*_COMMON, _TRAITS),
    "track": (
        *_COMMON,
        _text("event", "Slug of the event's name."),
        _text("event_text", "The event's name."),
        _PROPERTIES,
    ),
    "page": (*_COMMON, *_VIEWED),
    "screen": (*_COMMON, *_VIEWED),
    "group": (*_COMMON, _text("group_id", "The group."), _TRAITS),
    "alias": (*_COMMON, _text("previous_id", "The id that `user_id` replaces.")),
}
"""The columns of each type of call, in the order of the files."""

CALL_TYPES = tuple(COLUMNS)

CALLS = Export(
    name="calls",
    stem="calls",
    title="Calls",
    description="The calls of SDKs and servers, a file for each type that has any.",
    columns=tuple({c.name: c for columns in COLUMNS.values() for c in columns}.values()),
    row_key=("message_id",),
    entity_key=("message_id",),
    newest_by=None,
    history=History.ALL,
    afterwards=Afterwards.NEW_ROWS,
    source="calls",
    joins=(),
    rows_per_file=200_000,
    time_column="received_at",
)
"""What a sync of the calls feed sends; its columns are those of all types together."""


def type_export(kind: str) -> Export:
    """The declaration of one type's files, for schemas."""
    return replace(CALLS, columns=COLUMNS[kind])


def calls_fingerprint(file_format: str, timestamp_unit: str) -> str:
    """16 hex digits that change exactly when the files of any type do."""
    content = {
        "format": file_format,
        "timestamp_unit": timestamp_unit,
        "columns": {
            kind: [[c.name, c.type.value, c.required] for c in columns]
            for kind, columns in COLUMNS.items()
        },
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
