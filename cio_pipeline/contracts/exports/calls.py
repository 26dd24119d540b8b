"""Calls: the columns of each of the six types (C2)."""

import hashlib
import json
from dataclasses import replace

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.shared_columns import column

_COMMON = (
    column("message_id: str", "The call's id; made for it where the SDK sent none."),
    column(
        "anonymous_id: str, nullable", "Who called, before they were identified.", personal=True
    ),
    column(
        "user_id: str, nullable",
        "Who called; the email where an identify call has no other (C4).",
        personal=True,
    ),
    column("timestamp: time, nullable", "When it happened, by a corrected clock."),
    column("original_timestamp: time, nullable", "When it happened, by the device's clock."),
    column("sent_at: time, nullable", "When the device sent it."),
    column("received_at: time", "When the platform received it."),
    column("context: str, nullable", "JSON: where it came from.", personal=True),
    column("integrations: str, nullable", "JSON: which integrations it was meant for."),
    column(
        "extra: str, nullable",
        "JSON object: all that has no column, and what a column could not hold.",
        personal=True,
    ),
)
_PROPERTIES = column(
    "properties: str, nullable", "JSON: the properties of the call.", personal=True
)
_TRAITS = column(
    "traits: str, nullable",
    "JSON: what is known of whom or what the call is about.",
    personal=True,
)
_VIEWED = (
    column("name: str, nullable", "The name of what was viewed."),
    column("category: str, nullable", "Its category."),
    _PROPERTIES,
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "identify": (*_COMMON, _TRAITS),
    "track": (
        *_COMMON,
        column("event: str, nullable", "Slug of the event's name."),
        column("event_text: str, nullable", "The event's name."),
        _PROPERTIES,
    ),
    "page": (*_COMMON, *_VIEWED),
    "screen": (*_COMMON, *_VIEWED),
    "group": (*_COMMON, column("group_id: str, nullable", "The group."), _TRAITS),
    "alias": (
        *_COMMON,
        column("previous_id: str, nullable", "The id that `user_id` replaces.", personal=True),
    ),
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
