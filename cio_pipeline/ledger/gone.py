"""Who was gone when exports began: they stay anonymous (D4)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, Row, bindparam, select

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.schema import gone_people
from cio_pipeline.ledger.statements import (
    chunks,
    insert_missing,
    rows_given,
)

_C = gone_people.c
_OF_ALL = ""
"""The export of people who are gone by the table people itself: it counts for every export."""
_WANTED = rows_given((_C.workspace_id, _C.at), "wanted")
_KEPT = select(_C.workspace_id).where(_WANTED, _C.export == _OF_ALL)
_OF = select(_C.workspace_id, _C.people).where(
    _WANTED, _C.export.in_([_OF_ALL, bindparam("export")])
)
_AT_A_TIME = 100
"""Workspaces that one statement writes: each may have many people."""
_READ_AT_A_TIME = 10
_UNPACKED_BYTES = 4 * 2**20
_BETWEEN = ",\n"


@dataclass(frozen=True)
class Gone:
    """People by workspace and cut.

    Those of a workspace are one value: they are asked for together.
    """

    database: Database

    @writing
    def keep(
        self,
        connection: Connection,
        at: datetime,
        people: Mapping[int, Collection[str]],
        export: str = _OF_ALL,
        part: str = "",
    ) -> None:
        """Remember who was gone at a cut, by workspace; what is remembered already stays.

        With an `export`, people whom the table people does not know, found in `part` of its rows:
        they count for that export alone.
        """
        rows = [
            {"workspace_id": one, "at": at, "export": export, "part": part, "people": _packed(ids)}
            for one, ids in people.items()
        ]
        for chunk in chunks(rows, _AT_A_TIME):
            insert_missing(connection, gone_people, chunk)

    @reading
    def kept(
        self, connection: Connection, wanted: Collection[tuple[int, datetime]]
    ) -> Collection[int]:
        """Those of the workspaces of which the gone ones among the people are remembered.

        `wanted` has each workspace once, with its cut.
        """
        return set(connection.scalars(_KEPT, _given(wanted)))

    def of(self, wanted: Iterable[tuple[int, datetime]], export: str) -> Iterator[pl.DataFrame]:
        """Who was gone for an export (`workspace_id`, `person`), each workspace at its cut.

        They may be millions: each frame is to be done with before the next. `wanted` has each
        workspace once; it comes in as many frames as its people need, also in none.
        """
        held: list[tuple[int, bytes]] = []
        size = 0
        for chunk in chunks(wanted, _READ_AT_A_TIME):
            for workspace, people in self._packed(chunk, export):
                for ids in _unpacked(people):
                    held.append((workspace, ids))
                    size += len(ids)
                    if size >= _UNPACKED_BYTES:
                        yield _frame(held)
                        held, size = [], 0
        yield _frame(held)

    @reading
    def _packed(
        self, connection: Connection, wanted: Collection[tuple[int, datetime]], export: str
    ) -> Sequence[Row[int, bytes]]:
        return connection.execute(_OF, {**_given(wanted), "export": export}).all()


def _given(wanted: Iterable[tuple[int, datetime]]) -> dict[str, object]:
    return {"wanted": list(wanted)}


def _packed(people: Collection[str]) -> bytes:
    """JSON with one id a line: there is no line feed within a string of JSON."""
    return zlib.compress(json.dumps(sorted(people), separators=(_BETWEEN, ":")).encode())


def _unpacked(packed: bytes) -> Iterator[bytes]:
    """The ids as JSON, some at a time; all at once where they are not one a line, as at first."""
    unzip, rest = zlib.decompressobj(), b""
    while packed:
        rest += unzip.decompress(packed, _UNPACKED_BYTES)
        packed = unzip.unconsumed_tail
        head, found, tail = rest.rpartition(_BETWEEN.encode())
        if found:
            yield head + b"]"
            rest = b"[" + tail
    yield rest + unzip.flush()


def _frame(held: Sequence[tuple[int, bytes]]) -> pl.DataFrame:
    # As text of Python, a million ids would take several times as much.
    texts = pl.Series([ids.decode() for _, ids in held], dtype=pl.String)
    workspaces = pl.Series([workspace for workspace, _ in held], dtype=pl.Int64)
    people = texts.str.json_decode(pl.List(pl.String()))
    found = pl.DataFrame({"workspace_id": workspaces, "person": people})
    return found.explode("person").drop_nulls("person")
