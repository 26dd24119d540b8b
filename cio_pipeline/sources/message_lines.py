"""Reading files of messages: a JSON object a line, with `metadata` and `body` (M1).

Lines are taken one by one: what cannot be understood is told with line and reason, and the others
go on. `body` is `{"data": {…}}` or the payload itself; either way its text is not touched.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.message_envelope import EVENT_ID, METADATA, TIMESTAMP
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.message_objects import NoObject, check_message, metadata_entries
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import NotJson, decoded, fields
from cio_pipeline.model.messages import Message
from cio_pipeline.sources.batches import in_batches
from cio_pipeline.sources.json_lines import BadLine, numbered_lines

_SCHEMA = source_schema(SOURCE_TABLES["messages"])


@dataclass
class MessageLines:
    """Turns lines into rows for one workspace; `bad` are the lines that were left out.

    `received` is when messages came in that do not tell it themselves. The order of lines is kept,
    over all files that are read.
    """

    workspace_id: int
    received: datetime
    bad: list[BadLine] = field(default_factory=list[BadLine])
    rows: int = 0

    def read(self, path: Path) -> Iterator[pl.DataFrame]:
        """The messages of a file; raises InvalidConfig if it cannot be read at all."""
        try:
            with path.open("rb") as file:
                yield from self.read_from(path.name, file)
        except OSError as error:
            raise InvalidConfig(f"{path.name} cannot be read: {error.strerror}.") from error

    def read_from(self, name: str, file: BinaryIO) -> Iterator[pl.DataFrame]:
        """The messages of an open file, in batches."""
        yield from in_batches(self.rows_of(name, file), _SCHEMA)

    def rows_of(self, name: str, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """The messages of an open file, one by one."""
        for number, line in numbered_lines(file):
            row = self._row(name, number, line)
            if row is not None:
                yield row

    def _row(self, file: str, number: int, line: bytes) -> dict[str, Any] | None:
        try:
            message, metadata = _message(line, self.received)
            check_message(message)
        except (NoObject, NotJson) as error:
            self.bad.append(BadLine(file, number, str(error)))
            return None
        self.rows += 1
        return {
            "workspace_id": self.workspace_id,
            "message_id": message.metadata[EVENT_ID],
            "arrival": self.rows,
            "timestamp": message.metadata[TIMESTAMP],
            "metadata": metadata,
            "payload": message.payload,
        }


def _message(line: bytes, received: datetime) -> tuple[Message, str]:
    """The message of a line, and the text of its metadata; raises NoObject and NotJson."""
    try:
        found = fields(line.decode())
    except UnicodeDecodeError:
        raise NoObject("is no valid UTF-8") from None
    if "body" not in found:
        raise NoObject("has no body")
    payload = _payload(found["body"])
    metadata = found.get("metadata", "null")
    if decoded(metadata) is None:
        entries = _made_entries(payload, received)
        return Message(entries, payload), json.dumps(entries)
    entries = metadata_entries(metadata)
    missing = [name for name in (EVENT_ID, TIMESTAMP) if name not in entries]
    if missing:
        raise NoObject(f"metadata has no {missing[0]}")
    return Message(entries, payload), metadata


def _payload(body: str) -> str:
    found = fields(body)
    return found["data"] if list(found) == ["data"] else body


def _made_entries(payload: str, received: datetime) -> dict[str, str]:
    """Metadata for a line that has none: what the payload tells of itself, an id of its text."""
    data = decoded(payload)
    told = data if isinstance(data, dict) else {}
    found = {name: told[name] for name in METADATA if isinstance(told.get(name), str)}
    at = told.get("operationTime")
    return {
        **found,
        EVENT_ID: hashlib.sha256(payload.encode()).hexdigest()[:32],
        TIMESTAMP: at if isinstance(at, str) else f"{received.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
