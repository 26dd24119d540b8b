"""Reading files of messages: a JSON object a line, with `metadata` and `body` (M1).

Lines are taken one by one: what cannot be understood is told with line and reason, and the others
go on. `body` is `{"data": {…}}` or the payload itself; either way its text is not touched.
"""

import hashlib
import json
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
from cio_pipeline.sources.json_lines import BadLine, numbered_lines


@dataclass
class MessageLines:
    """The rows that files hold, for one workspace, and the lines that were left out."""

    workspace_id: int
    received: datetime
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    bad: list[BadLine] = field(default_factory=list[BadLine])

    def read(self, path: Path) -> None:
        """Take in a file; raises InvalidConfig if it cannot be read at all."""
        try:
            with path.open("rb") as file:
                self.read_from(path.name, file)
        except OSError as error:
            raise InvalidConfig(f"{path.name} cannot be read: {error.strerror}.") from error

    def read_from(self, name: str, file: BinaryIO) -> None:
        """Take in an open file."""
        for number, line in numbered_lines(file):
            self._take(name, number, line)

    def frame(self) -> pl.DataFrame:
        """The rows in the dtypes of the source table, in the order that they were read in."""
        return pl.DataFrame(self.rows, source_schema(SOURCE_TABLES["messages"]))

    def _take(self, file: str, number: int, line: bytes) -> None:
        try:
            message, metadata = _message(line, self.received)
            check_message(message)
        except (NoObject, NotJson) as error:
            self.bad.append(BadLine(file, number, str(error)))
            return
        self.rows.append(
            {
                "workspace_id": self.workspace_id,
                "message_id": message.metadata[EVENT_ID],
                "arrival": len(self.rows) + 1,
                "timestamp": message.metadata[TIMESTAMP],
                "metadata": metadata,
                "payload": message.payload,
            }
        )


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
