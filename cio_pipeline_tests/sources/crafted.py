"""Delta tables written by hand: logs and files as other writers than ours make them."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import polars as pl
from pyroaring import BitMap64

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline_tests.sources.things import THINGS

Action = dict[str, Any]
Encode = Callable[[pl.DataFrame, Path], None]

_TYPES = {
    pl.Int64(): "long",
    pl.String(): "string",
    pl.Boolean(): "boolean",
    pl.Datetime("us", "UTC"): "timestamp",
    pl.List(pl.String()): {"type": "array", "elementType": "string", "containsNull": True},
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(body: bytes) -> str:
    words = struct.unpack(f">{len(body) // 4}I", body)
    return "".join(_DIGITS[word // 85**n % 85] for word in words for n in (4, 3, 2, 1, 0))


@dataclass
class Crafted:
    """A table `things` below a folder. `named` makes folder names of partition values.

    `states` are the rows at each version, by what was committed.
    """

    root: Path
    encode: Encode
    partitioned: Sequence[str] = ()
    named: Callable[[Mapping[str, str | None]], str] = lambda _: ""
    columns: Sequence[str] = tuple(source_schema(THINGS))
    features: Sequence[str] = ("deletionVectors",)
    states: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def folder(self) -> Path:
        return self.root / "things"

    def create(self) -> None:
        nothing = pl.DataFrame(schema=source_schema(THINGS))
        self.commit(self.protocol(), self.metadata(), state=nothing)

    def protocol(self) -> Action:
        versions = {"minReaderVersion": 3, "minWriterVersion": 7}
        features = [*self.features, "changeDataFeed"]
        return {
            "protocol": {**versions, "readerFeatures": self.features, "writerFeatures": features}
        }

    def metadata(self, *, feed: bool = True, **configuration: str) -> Action:
        fields = [
            {
                "name": name,
                "type": _TYPES[source_schema(THINGS)[name]],
                "nullable": True,
                "metadata": _mapped(n, name),
            }
            for n, name in enumerate(self.columns)
        ]
        return {
            "metaData": {
                "id": "0a0a0a0a-0000-4000-8000-000000000001",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": list(self.partitioned),
                "configuration": {"delta.enableChangeDataFeed": str(feed).lower(), **configuration},
                "createdTime": 1,
            }
        }

    def commit(self, *actions: Action, state: pl.DataFrame | None = None) -> int:
        version = len(self.states)
        log = self.folder / "_delta_log"
        log.mkdir(parents=True, exist_ok=True)
        info = {"commitInfo": {"timestamp": 1767225600000 + version}}
        (log / f"{version:020d}.json").write_text("\n".join(map(json.dumps, [info, *actions])))
        self.states.append(self.states[-1] if state is None else state)
        return version

    def added(self, rows: pl.DataFrame, **fields: Any) -> list[Action]:
        """Files of rows, one for each combination of partition values."""
        return [
            {"add": {**self._written(some), "modificationTime": 1, **fields}}
            for some in self._parts(rows)
        ]

    def told(self, rows: pl.DataFrame) -> list[Action]:
        """Files of the change feed; the rows carry `_change_type`."""
        return [{"cdc": self._written(some, "_change_data/")} for some in self._parts(rows)]

    def _parts(self, rows: pl.DataFrame) -> list[pl.DataFrame]:
        by = list(self.partitioned)
        return rows.partition_by(by, maintain_order=True) if by else [rows]

    def _written(self, rows: pl.DataFrame, below: str = "") -> Action:
        values = {name: _text(rows[name][0]) for name in self.partitioned}
        name = f"{below}{self.named(values)}{next(self.numbers)}.parquet"
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = rows.drop(self.partitioned)
        self.encode(
            stored.select(c for c in stored.columns if c in self.columns or c[0] == "_"), path
        )
        return {
            "path": quote(name),
            "partitionValues": values,
            "size": path.stat().st_size,
            "dataChange": not below,
            "stats": json.dumps({"numRecords": rows.height}),
        }


def _mapped(number: int, name: str) -> Action:
    """What column mapping needs; without it, it means nothing."""
    prefix = "delta.columnMapping"
    return {f"{prefix}.id": number + 1, f"{prefix}.physicalName": name}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix("+00:00")


def removed(add: Action, **fields: Any) -> Action:
    """What takes a file away."""
    kept = {k: v for k, v in add["add"].items() if k not in {"modificationTime", "stats"}}
    return {"remove": {**kept, "deletionTimestamp": 1, "extendedFileMetadata": True, **fields}}


def without(add: Action, rows: Sequence[int]) -> Action:
    """The file with a deletion vector in the log."""
    body = _bitmap(rows)
    padded = body + b"\0" * (-len(body) % 4)
    return _with_vector(add, {"storageType": "i", "pathOrInlineDv": z85(padded)}, body, rows)


def without_by_file(folder: Path, add: Action, rows: Sequence[int], kind: str = "u") -> Action:
    """The file with a deletion vector in a file, named relative to the table or by a URI."""
    body, unique = _bitmap(rows), UUID(int=len(list(folder.rglob("*.bin"))) + 1)
    path = folder / f"ab/deletion_vector_{unique}.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        b"\1" + struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body))
    )
    named = path.as_uri() if kind == "p" else f"ab{z85(unique.bytes)}"
    return _with_vector(
        add, {"storageType": kind, "pathOrInlineDv": named, "offset": 1}, body, rows
    )


def _bitmap(rows: Sequence[int]) -> bytes:
    return struct.pack("<I", 1681511377) + BitMap64(rows).serialize()


def _with_vector(add: Action, vector: Action, body: bytes, rows: Sequence[int]) -> Action:
    sizes = {"sizeInBytes": len(body), "cardinality": len(rows)}
    return {"add": {**add["add"], "deletionVector": {**vector, **sizes}}}
