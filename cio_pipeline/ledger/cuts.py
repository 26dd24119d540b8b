"""Stored cuts: decided once per window's end, referred to by it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Connection, Select, bindparam, select, update

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.schema import counters, cuts
from cio_pipeline.ledger.statements import UtcTime, chunks, insert_missing, upsert
from cio_pipeline.model.cuts import Cut, Rest, TableCut, Waiting, completed
from cio_pipeline.model.errors import LedgerError

_Query: TypeAlias = Select[datetime, str, str | None]


@dataclass(frozen=True)
class Cuts:
    """The stored cuts of the data-out feed."""

    database: Database

    @reading
    def get(self, connection: Connection, at: datetime) -> Cut | None:
        """The cut of the window that ends at `at`, if decided."""
        return _first(connection, _AT, at)

    @writing
    def store(self, connection: Connection, cut: Cut) -> Cut:
        """Keep a cut; if one is stored for its `at` already, that one wins and is returned."""
        insert_missing(connection, cuts, [_row(cut)])
        return _cut(*connection.execute(_AT, {"time": cut.at}).one())

    @writing
    def decide(
        self, connection: Connection, cut: Cut, before: Cut | None, after: Cut | None
    ) -> Cut | None:
        """Keep a cut that was decided between its neighbours; None if these are others by now.

        Of a cut that is stored already, only what was undecided changes.
        """
        # One at a time: whoever decides another window meanwhile waits, then looks again.
        connection.execute(_LOCK)
        lower, stored, upper = (_first(connection, query, cut.at) for query in _NEAR)
        if (lower, upper) != (before, after):
            return None
        kept = cut if stored is None else completed(stored, cut)
        upsert(connection, cuts, [_row(kept)])
        return kept

    @reading
    def near(
        self, connection: Connection, at: datetime
    ) -> tuple[Cut | None, Cut | None, Cut | None]:
        """The latest stored cut before `at`, the one at it, and the earliest one after it."""
        before, stored, after = (_first(connection, query, at) for query in _NEAR)
        return before, stored, after

    @reading
    def before(self, connection: Connection, at: datetime) -> Cut | None:
        """The latest stored cut that ends before `at`."""
        return _first(connection, _BEFORE, at)

    @reading
    def after(self, connection: Connection, at: datetime) -> Cut | None:
        """The earliest stored cut that ends after `at`."""
        return _first(connection, _AFTER, at)


_LOCK = update(counters).where(counters.c.name == "cuts").values(value=counters.c.value + 1)
_TIME: BindParameter[datetime] = bindparam("time", type_=UtcTime)
_AT = select(cuts).where(cuts.c.at == _TIME)
_BEFORE = select(cuts).where(cuts.c.at < _TIME).order_by(cuts.c.at.desc()).limit(1)
_AFTER = select(cuts).where(cuts.c.at > _TIME).order_by(cuts.c.at).limit(1)
_NEAR = (_BEFORE, _AT, _AFTER)
_SOME = select(cuts).where(cuts.c.at.in_(bindparam("times", expanding=True)))


def keep_cuts(connection: Connection, wanted: Collection[Cut]) -> None:
    """Store cuts that positions and plans are about to refer to.

    Raises LedgerError if another cut is stored for one's `at`.
    """
    by_time = {cut.at: cut for cut in wanted}
    for chunk in chunks(by_time):
        insert_missing(connection, cuts, [_row(by_time[at]) for at in chunk])
        stored = cuts_at(connection, chunk)
        changed = [at for at in chunk if _contradict(stored[at], by_time[at])]
        if changed:
            raise LedgerError(
                f"Another cut is stored for {min(changed).isoformat()}.",
                "Take the stored one: a window's cut is decided once.",
            )


def cuts_at(connection: Connection, times: Iterable[datetime]) -> dict[datetime, Cut]:
    """The stored cuts of some times, parsed once each."""
    return {
        row.at: _cut(*row)
        for chunk in chunks(sorted(set(times)))
        for row in connection.execute(_SOME, {"times": chunk})
    }


def _contradict(one: Cut, other: Cut) -> bool:
    """Whether two decisions of a cut differ; either may be yet without some tables."""
    open_yet = one.undecided | other.undecided
    mine, its = ({n: t for n, t in cut.tables.items() if n not in open_yet} for cut in (one, other))
    return mine != its


def _first(connection: Connection, query: _Query, at: datetime) -> Cut | None:
    row = connection.execute(query, {"time": at}).first()
    return None if row is None else _cut(*row)


def _row(cut: Cut) -> dict[str, object]:
    more = {"rest": {name: _rest_row(one) for name, one in sorted(cut.rest.items())}}
    more |= {"undecided": sorted(cut.undecided)} if cut.undecided else {}
    return {
        "at": cut.at,
        "tables": json.dumps({name: _table_row(one) for name, one in sorted(cut.tables.items())}),
        "more": json.dumps(more) if cut.rest or cut.undecided else None,
    }


def _table_row(cut: TableCut) -> list[str | int]:
    row: list[str | int] = [cut.table_id, cut.version]
    return row if cut.snapshot is None else [*row, cut.snapshot]


def _rest_row(rest: Rest) -> dict[str, object]:
    row: dict[str, object] = {
        "upto": _table_row(rest.upto),
        "seen_at": rest.seen_at.isoformat(),
    }
    if rest.earlier:
        row["earlier"] = [[version, time.isoformat()] for version, time in rest.earlier]
    waiting = rest.waiting
    if waiting is not None:
        since = waiting.since.isoformat() if waiting.since else None
        row["waiting"] = [waiting.version, waiting.commits, waiting.until.isoformat(), since]
    return row


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
