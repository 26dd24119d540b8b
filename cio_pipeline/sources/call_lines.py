"""Reading files of calls: what SDKs send, a JSON object a line, as it is (C2, C3).

Lines are taken one by one and given on in batches. What cannot be understood is told with line and
reason, and the others go on.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.call_times import time_of
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import NotJson, decoded, fields
from cio_pipeline.sources.batches import in_batches
from cio_pipeline.sources.json_lines import BadLine, numbered_lines

_SCHEMA = source_schema(SOURCE_TABLES["calls"])


@dataclass
class CallLines:
    """Turns lines into rows for one workspace; `bad` are the lines that were left out.

    `received` is when calls came in that do not tell it themselves. `typed`
    counts the objects that have a type, also an unknown one. The order of lines is kept, over all
    files that are read (C3).
    """

    workspace_id: int
    received: datetime
    bad: list[BadLine] = field(default_factory=list[BadLine])
    rows: int = 0
    typed: int = 0
    _arrived: int = 0

    def read(self, path: Path) -> Iterator[pl.DataFrame]:
        """The calls of a file; raises InvalidConfig if it cannot be read at all."""
        try:
            digest = sha256_of(path)
            with path.open("rb") as file:
                yield from self.read_from(path.name, digest, file)
        except OSError as error:
            raise InvalidConfig(f"{path.name} cannot be read: {error.strerror}.") from error

    def read_from(self, name: str, origin: str, file: BinaryIO) -> Iterator[pl.DataFrame]:
        """The calls of an open file; `origin` tells it from all others, read again it is equal."""
        for batch in in_batches(self._rows(name, origin, file), _SCHEMA):
            self.rows += batch.height
            yield batch

    def _rows(self, name: str, origin: str, file: BinaryIO) -> Iterator[dict[str, Any]]:
        for number, line in numbered_lines(file):
            row = self._row(name, f"{origin}:{number}", number, line)
            if row is not None:
                yield row

    def _row(self, file: str, origin: str, number: int, line: bytes) -> dict[str, Any] | None:
        try:
            payload = line.decode().strip()
            found = fields(payload)
            self.typed += "type" in found
            kind = _type_of(found.get("type"))
        except UnicodeDecodeError:
            self.bad.append(BadLine(file, number, "is no valid UTF-8"))
            return None
        except NotJson as error:
            self.bad.append(BadLine(file, number, str(error)))
            return None
        self._arrived += 1
        return {
            "workspace_id": self.workspace_id,
            "call_id": _call_id(found.get("messageId", ""), payload, origin),
            "type": kind,
            "received_at": time_of(decoded(found.get("receivedAt", "null"))) or self.received,
            "payload": payload,
            "arrival": self._arrived,
        }


def _type_of(raw: str | None) -> str:
    """The type as it is spelled; raises NotJson if there is none that is known."""
    if raw is None:
        raise NotJson("has no type")
    kind = decoded(raw)
    if not isinstance(kind, str) or kind.strip().lower() not in CALL_TYPES:
        raise NotJson(f"has a type that is none of {', '.join(CALL_TYPES)}")
    return kind


def _call_id(message_id: str, payload: str, origin: str) -> str:
    """The row's identity: a call that an SDK sends again unchanged is the same one.

    SDKs use an id again for other payloads, so it is not enough. Without an id each line is a call
    of its own, also next to an equal one.
    """
    known = message_id.startswith('"') and message_id != '""'
    text = f"{cast('str', decoded(message_id))}\n{payload}" if known else f"{origin}\n{payload}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
