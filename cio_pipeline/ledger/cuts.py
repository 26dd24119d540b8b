"""Stored cuts: decided once per window's end, referred to by it; and who was gone at them (D4).

People who were gone when exports began stay anonymous.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

import polars as pl
from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, func, or_, select, update

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.given import rows_given
from cio_pipeline.ledger.schema import counters, cuts, gone_people
from cio_pipeline.ledger.statements import UtcTime, chunks, insert_missing, upsert
from cio_pipeline.model.cuts import Cut, Rest, TableCut, Waiting, completed
from cio_pipeline.model.errors import LedgerError

_Near: TypeAlias = tuple[Cut | None, Cut | None, Cut | None]


@dataclass(frozen=True)
class Cuts:
    """The stored cuts of the data-out feed."""

    database: Database

    @reading
    def get(self, connection: Connection, at: datetime) -> Cut | None:
        """The cut of the window that ends at `at`, if decided."""
        return cuts_at(connection, [at]).get(at)

    @writing
    def store(self, connection: Connection, cut: Cut) -> Cut:
        """Keep a cut; if one is stored for its `at` already, that one wins and is returned."""
        insert_missing(connection, cuts, [_row(cut)])
        return cuts_at(connection, [cut.at])[cut.at]

    @writing
    def decide(
        self, connection: Connection, cut: Cut, before: Cut | None, after: Cut | None
    ) -> Cut | None:
        """Keep a cut that was decided between its neighbours; None if these are others by now.

        Of a cut that is stored already, only what was undecided changes.
        """
        # One at a time: whoever decides another window meanwhile waits, then looks again.
        connection.execute(_LOCK)
        lower, stored, upper = _near(connection, cut.at)
        if (lower, upper) != (before, after):
            return None
        kept = cut if stored is None else completed(stored, cut)
        upsert(connection, cuts, [_row(kept)])
        return kept

    @reading
    def near(self, connection: Connection, at: datetime) -> _Near:
        """The latest stored cut before `at`, the one at it, and the earliest one after it."""
        return _near(connection, at)

    def before(self, at: datetime) -> Cut | None:
        """The latest stored cut that ends before `at`."""
        return self.near(at)[0]

    def after(self, at: datetime) -> Cut | None:
        """The earliest stored cut that ends after `at`."""
        return self.near(at)[2]


_LOCK = update(counters).where(counters.c.name == "cuts").values(value=counters.c.value + 1)
_TIME: BindParameter[datetime] = bindparam("time", type_=UtcTime)
_OTHER = cuts.alias()
_BEFORE = select(func.max(_OTHER.c.at)).where(_OTHER.c.at < _TIME).scalar_subquery()
_AFTER = select(func.min(_OTHER.c.at)).where(_OTHER.c.at > _TIME).scalar_subquery()
_NEAR = select(cuts).where(or_(cuts.c.at == _TIME, cuts.c.at == _BEFORE, cuts.c.at == _AFTER))
_SOME = select(cuts).where(rows_given((cuts.c.at,), "times"))


def _near(connection: Connection, at: datetime) -> _Near:
    found = [_cut(*row) for row in connection.execute(_NEAR, {"time": at}).all()]
    before = next((one for one in found if one.at < at), None)
    after = next((one for one in found if one.at > at), None)
    return before, next((one for one in found if one.at == at), None), after


def keep_cuts(connection: Connection, wanted: Collection[Cut]) -> None:
    """Store cuts that positions and plans are about to refer to.

    Raises LedgerError if another cut is stored for one's `at`.
    """
    by_time = {cut.at: cut for cut in wanted}
    stored = cuts_at(connection, by_time)
    new = [_row(cut) for at, cut in by_time.items() if at not in stored]
    if new:
        # Another run may store one of them meanwhile: the one that is there counts.
        insert_missing(connection, cuts, new)
        stored = cuts_at(connection, by_time)
    changed: list[datetime] = []
    for at, cut in by_time.items():
        # Either may be yet without some tables.
        open_yet = cut.undecided | stored[at].undecided
        wanted_now, kept = (
            {name: table for name, table in one.tables.items() if name not in open_yet}
            for one in (cut, stored[at])
        )
        if wanted_now != kept:
            changed.append(at)
    if changed:
        raise LedgerError(
            f"Another cut is stored for {min(changed).isoformat()}.",
            "Take the stored one: a window's cut is decided once.",
        )


def cuts_at(connection: Connection, times: Iterable[datetime]) -> dict[datetime, Cut]:
    """The stored cuts of some times."""
    wanted = set(times)
    rows = connection.execute(_SOME, {"times": wanted}).all() if wanted else ()
    return {row.at: _cut(*row) for row in rows}


def _row(cut: Cut) -> dict[str, object]:
    upto = _table_rows({name: rest.upto for name, rest in cut.rest.items()})
    more = {"rest": {name: _rest_row(one, upto[name]) for name, one in sorted(cut.rest.items())}}
    more |= {"undecided": sorted(cut.undecided)} if cut.undecided else {}
    return {
        "at": cut.at,
        "tables": json.dumps(_table_rows(cut.tables)),
        "more": json.dumps(more) if cut.rest or cut.undecided else None,
    }


def _table_rows(tables: Mapping[str, TableCut]) -> dict[str, list[str | int]]:
    return {
        name: [one.table_id, one.version, *(() if one.snapshot is None else (one.snapshot,))]
        for name, one in sorted(tables.items())
    }


def _rest_row(rest: Rest, upto: list[str | int]) -> dict[str, object]:
    row: dict[str, object] = {"upto": upto, "seen_at": rest.seen_at.isoformat()}
    if rest.earlier:
        row["earlier"] = [[version, time.isoformat()] for version, time in rest.earlier]
    waiting = rest.waiting
    if waiting is not None:
        since = waiting.since.isoformat() if waiting.since else None
        row["waiting"] = [waiting.version, waiting.commits, waiting.until.isoformat(), since]
    return row


# Cached: every export of a window reads the same few cuts, several times each.
@lru_cache(maxsize=256)
def _cut(at: datetime, tables: str, more: str | None) -> Cut:
    found = {name: TableCut(*table) for name, table in json.loads(tables).items()}
    if more is None:
        return Cut(at, found)
    known: dict[str, Any] = json.loads(more)
    rows: dict[str, dict[str, Any]] = known["rest"]
    undecided: list[str] = known.get("undecided", [])
    rest = {name: _rest(row) for name, row in rows.items()}
    return Cut(at, found, rest=rest, undecided=frozenset(undecided))


def _rest(row: Mapping[str, Any]) -> Rest:
    waiting = _waiting(*row["waiting"]) if "waiting" in row else None
    looks: Sequence[tuple[int, str]] = row.get("earlier", ())
    earlier = tuple((version, datetime.fromisoformat(time)) for version, time in looks)
    seen_at = datetime.fromisoformat(row["seen_at"])
    return Rest(TableCut(*row["upto"]), seen_at, waiting, earlier)


def _waiting(version: int, commits: int, until: str, since: str | None) -> Waiting:
    late = datetime.fromisoformat(since) if since else None
    return Waiting(version, commits, datetime.fromisoformat(until), late)


_OF_ALL = ""
"""The export of people who are gone by the table people itself: it counts for every export."""
_WANTED = rows_given((gone_people.c.workspace_id, gone_people.c.at), "wanted")
_KEPT = select(gone_people.c.workspace_id).where(_WANTED, gone_people.c.export == _OF_ALL)
_OF = select(gone_people.c.workspace_id, gone_people.c.people).where(
    _WANTED, gone_people.c.export.in_([_OF_ALL, bindparam("export")])
)
ERASED = "erased"
"""How the part begins in which whoever was erased is remembered."""
_ERASED = _OF.where(gone_people.c.part.startswith(ERASED))
_AT_A_TIME = 100
"""Workspaces that one statement writes: each may have many people."""
_PACKED_BYTES = 2**18
"""Read at a time, of however many workspaces."""
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
            {"workspace_id": one, "at": at, "export": export, "part": part, "people": _pack(ids)}
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
        return set(connection.scalars(_KEPT, {"wanted": wanted}))

    def of(
        self, wanted: Iterable[tuple[int, datetime]], export: str, *, erased: bool = False
    ) -> Iterator[pl.DataFrame]:
        """Who was gone for an export (`workspace_id`, `person`), each workspace at its cut.

        Of them all, or of those alone who were `erased` since.

        They may be millions: each frame is to be done with before the next. `wanted` has each
        workspace once; it comes in as many frames as its people need, also in none.
        """
        held: list[tuple[int, bytes]] = []
        size = 0
        query, given = _ERASED if erased else _OF, list(wanted)
        sizes = self._sizes(query, given, export)
        for batch in _batches(given, sizes):
            for workspace, people in self._packed(query, batch, export):
                for ids in _unpacked(people):
                    held.append((workspace, ids))
                    size += len(ids)
                    if size >= _UNPACKED_BYTES:
                        yield _frame(held)
                        held, size = [], 0
        yield _frame(held)

    @reading
    def _sizes(
        self,
        connection: Connection,
        query: Select[int, bytes],
        wanted: Collection[tuple[int, datetime]],
        export: str,
    ) -> Mapping[int, int]:
        """How much is remembered of workspaces; those without anybody are left out."""
        c = gone_people.c
        sizes = query.with_only_columns(c.workspace_id, func.length(c.people)).where(_IS_ANYBODY)
        found: dict[int, int] = defaultdict(int)
        for workspace, size in connection.execute(sizes, {"wanted": wanted, "export": export}):
            found[workspace] += size
        return found

    @reading
    def _packed(
        self,
        connection: Connection,
        query: Select[int, bytes],
        wanted: Collection[tuple[int, datetime]],
        export: str,
    ) -> Sequence[Row[int, bytes]]:
        return connection.execute(query, {"wanted": wanted, "export": export}).all()


def _pack(people: Collection[str]) -> bytes:
    """JSON with one id a line: there is no line feed within a string of JSON."""
    return zlib.compress(json.dumps(sorted(people), separators=(_BETWEEN, ":")).encode())


def _batches(
    wanted: Iterable[tuple[int, datetime]], sizes: Mapping[int, int]
) -> Iterator[list[tuple[int, datetime]]]:
    """Workspaces that are read at a time: as many as fit, one at least."""
    batch: list[tuple[int, datetime]] = []
    left = _PACKED_BYTES
    for one in wanted:
        size = sizes.get(one[0], 0)
        if batch and size > left:
            yield batch
            batch, left = [], _PACKED_BYTES
        if size:
            batch.append(one)
            left -= size
    if batch:
        yield batch


# What remembers anybody is longer than what remembers nobody; its people are not read for that.
_IS_ANYBODY = func.length(gone_people.c.people) > len(_pack(()))


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
