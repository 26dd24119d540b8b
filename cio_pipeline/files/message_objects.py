"""From a row of the source table to the object that is put: key, body, metadata (M1, M2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from cio_pipeline.contracts.message_envelope import EVENT_ID, METADATA, TIMESTAMP
from cio_pipeline.files.message_keys import KeyTemplate, NoKey
from cio_pipeline.files.message_metadata import object_metadata
from cio_pipeline.files.message_time import parse_timestamp, time_context
from cio_pipeline.model.json_text import Json, NotJson, decoded, fields
from cio_pipeline.model.messages import Message


class NoObject(ValueError):
    """A message cannot become an object; the text says why, and holds nothing of the message."""


@dataclass(frozen=True)
class MessageObject:
    """What is put. `at` is the message's time, to the microsecond."""

    key: str
    body: bytes
    metadata: Mapping[str, str] = field(hash=False)
    at: datetime


def metadata_entries(text: str) -> dict[str, str]:
    """The entries of the seed in the JSON text of an object; null ones are absent.

    Entries of other names are left out. Raises NoObject for text that is no object, a key that
    stands twice, and an entry that is no string.
    """
    try:
        values = {name: _value(raw) for name, raw in fields(text).items() if name in METADATA}
    except NotJson as error:
        raise NoObject(f"metadata {error}") from None
    wrong = [name for name, value in values.items() if not isinstance(value, str | None)]
    if wrong:
        raise NoObject(f"metadata.{wrong[0]} is no string")
    return {name: cast("str", values[name]) for name in METADATA if values.get(name) is not None}


def _value(raw: str) -> Json:
    return raw[1:-1] if raw[0] == '"' and "\\" not in raw else decoded(raw)


def read_message(
    message_id: str, timestamp: str | None, metadata: str | None, payload: str
) -> Message:
    """A message from its row; `message_id` and `timestamp` stand in for entries that are not there.

    Raises NoObject.
    """
    given = {EVENT_ID: message_id} | ({TIMESTAMP: timestamp} if timestamp is not None else {})
    entries = given | (metadata_entries(metadata) if metadata is not None else {})
    return Message({name: entries[name] for name in METADATA if name in entries}, payload)


@dataclass(frozen=True)
class Checked:
    """What a message holds: its time, its payload decoded, its metadata as an object's."""

    at: datetime
    data: Json = field(hash=False)
    metadata: Mapping[str, str] = field(hash=False)


def check_message(message: Message) -> Checked:
    """A message that can become an object, whatever its key; raises NoObject for any other."""
    if not message.metadata.get(EVENT_ID):
        # Whatever else had the same id would be taken for a later state of it.
        raise NoObject("it has no event-id")
    timestamp = message.metadata.get(TIMESTAMP)
    if timestamp is None:
        raise NoObject("it has no timestamp")
    try:
        at, nanos = parse_timestamp(timestamp)
    except ValueError as error:
        raise NoObject(f"its timestamp {error}") from None
    try:
        data = decoded(message.payload)
    except NotJson as error:
        raise NoObject(f"its payload {error}") from None
    if not isinstance(data, dict):
        raise NoObject("its payload is no JSON object")
    try:
        metadata = object_metadata(message.metadata)
    except ValueError as error:
        raise NoObject(str(error)) from None
    return Checked(at + timedelta(microseconds=int(nanos) // 1000), data, metadata)


def as_object(message: Message, template: KeyTemplate) -> MessageObject:
    """The object of a message; raises NoObject."""
    found = check_message(message)
    times = time_context(message.metadata[TIMESTAMP]) if template.reads_time else {}
    try:
        key = template.render(message.metadata, times, found.data)
    except NoKey as error:
        raise NoObject(str(error)) from None
    return MessageObject(key, message.body, found.metadata, found.at)
