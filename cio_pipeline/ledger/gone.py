"""Who was gone when exports began: they stay anonymous (D4)."""

import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from cio_pipeline.ledger.bulk import chunks, insert_missing
from cio_pipeline.ledger.columns import microseconds
from cio_pipeline.ledger.given import as_given, rows_given
from cio_pipeline.ledger.schema import gone_people
from cio_pipeline.ledger.transactions import Database

_C = gone_people.c
_OF_ALL = ""
"""The export of people who are gone by the table people itself: it counts for every export."""
_WANTED = rows_given((_C.workspace_id, _C.at), "wanted")
_KEPT = select(_C.workspace_id).where(_WANTED, _C.export == _OF_ALL)
_OF = select(_C.workspace_id, _C.people).where(
    _WANTED, _C.export.in_([_OF_ALL, bindparam("export")])
)
_AT_A_TIME = 100
"""Workspaces in one statement: each may have many people."""


@dataclass(frozen=True)
class SqlGone:
    """People by workspace and cut; fulfils `pipeline.ports.Gone`.

    Those of a workspace are one value: they are asked for together.
    """

    database: Database

    def keep(
        self,
        at: datetime,
        people: Mapping[int, Collection[str]],
        export: str = _OF_ALL,
        part: str = "",
    ) -> None:
        """Remember who was gone at a cut, by workspace; what is remembered already stays."""
        rows = [
            {"workspace_id": one, "at": at, "export": export, "part": part, "people": _packed(ids)}
            for one, ids in people.items()
        ]

        def work(connection: Connection) -> None:
            for chunk in chunks(rows, _AT_A_TIME):
                insert_missing(connection, gone_people, chunk)

        self.database.write(work)

    def kept(self, wanted: Iterable[tuple[int, datetime]]) -> Collection[int]:
        """Those of the workspaces whose people are remembered, each at its cut."""
        given = _given(wanted)
        return set(self.database.read(lambda c: c.scalars(_KEPT, given).all()))

    def of(
        self, wanted: Iterable[tuple[int, datetime]], export: str
    ) -> Mapping[int, Collection[str]]:
        """Who was gone for an export, by workspace, each at its cut; unknown ones are left out."""
        given = {**_given(wanted), "export": export}
        rows = self.database.read(lambda c: c.execute(_OF, given).all())
        found: dict[int, list[str]] = {}
        for workspace, people in rows:
            found.setdefault(workspace, []).extend(_unpacked(people))
        return found


def _given(wanted: Iterable[tuple[int, datetime]]) -> dict[str, str]:
    return {"wanted": as_given([(workspace, microseconds(at)) for workspace, at in wanted])}


def _packed(people: Collection[str]) -> bytes:
    return zlib.compress(json.dumps(sorted(people)).encode())


def _unpacked(packed: bytes) -> list[str]:
    return list(json.loads(zlib.decompress(packed)))
