"""Messages in a source table, and what of them lies in a bucket."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline_tests.world import World

TIME = "2026-03-01T12:00:00.123456789Z"


def row(message_id: str, payload: str | None = None, arrival: int = 1, **fields: Any) -> Any:
    """A row of the source table; `metadata` may be given as a mapping."""
    metadata = fields.pop("metadata", None)
    return {
        "workspace_id": 1,
        "message_id": message_id,
        "arrival": arrival,
        "timestamp": TIME,
        "metadata": None if metadata is None else json.dumps(metadata),
        "payload": payload or f'{{"n":"{message_id}"}}',
        **fields,
    }


def commit_messages(world: World, *rows: Mapping[str, Any], at: datetime) -> None:
    table = SOURCE_TABLES["messages"]
    frame = pl.DataFrame(rows, {c.name: pl.String for c in table.columns}, strict=False)
    whole = frame.with_columns(pl.col("workspace_id", "arrival").cast(pl.Int64))
    world.commit_frame(table, whole, at)


class Recorder(LocalFolder):
    """A folder that also keeps metadata, and the order of its puts and all other calls."""

    def __init__(self, world: World, sync_id: str = "a") -> None:
        super().__init__(world.folder(sync_id))
        self.calls: list[tuple[str, str]] = []
        self.metadata: dict[str, dict[str, str]] = {}
        self.bodies: list[tuple[str, bytes]] = []

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        super().overwrite(key, body, metadata)
        self.calls.append(("overwrite", key))
        self.bodies.append((key, body))
        self.metadata[key] = dict(metadata)

    def put_bytes(self, key: str, body: bytes) -> None:
        super().put_bytes(key, body)
        self.calls.append(("put_bytes", key))

    def get(self, key: str) -> bytes:
        self.calls.append(("get", key))
        return super().get(key)

    def list(self, prefix: str = "") -> Any:
        self.calls.append(("list", prefix))
        return super().list(prefix)

    def sha256(self, key: str) -> str:
        self.calls.append(("sha256", key))
        return super().sha256(key)

    def announce(self) -> None:
        self.calls.append(("announce", ""))


def objects(world: World, sync_id: str = "a") -> dict[str, bytes]:
    """The objects of a sync in the order of their keys, without its manifests."""
    folder = world.folder(sync_id)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    found = {p.relative_to(folder).as_posix(): p for p in files}
    return {key: p.read_bytes() for key, p in found.items() if not key.startswith("_cio/")}
