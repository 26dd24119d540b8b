"""Stored cuts: decided once per window's end, referred to by it."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, Connection, Select, bindparam, select

from cio_pipeline.ledger.bulk import chunks, insert_missing
from cio_pipeline.ledger.columns import UtcTime
from cio_pipeline.ledger.schema import cuts
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import LedgerError


@dataclass(frozen=True)
class SqlCuts:
    """The stored cuts of the data-out feed; fulfils `pipeline.ports.Cuts`."""

    database: Database

    def get(self, at: datetime) -> Cut | None:
        """The cut of the window that ends at `at`, if decided."""
        return self._one(_AT, at)

    def store(self, cut: Cut) -> Cut:
        """Keep a cut; if one is stored for its `at` already, that one wins and is returned."""

        def work(connection: Connection) -> Cut:
            insert_missing(connection, cuts, [_row(cut)])
            return _cut(*connection.execute(_AT, {"time": cut.at}).one())

        return self.database.write(work)

    def before(self, at: datetime) -> Cut | None:
        """The latest stored cut that ends before `at`."""
        return self._one(_BEFORE, at)

    def after(self, at: datetime) -> Cut | None:
        """The earliest stored cut that ends after `at`."""
        return self._one(_AFTER, at)

    def _one(self, query: Select[datetime, str], at: datetime) -> Cut | None:
        row = self.database.read(lambda connection: connection.execute(query, {"time": at}).first())
        return None if row is None else _cut(*row)


_TIME: BindParameter[datetime] = bindparam("time", type_=UtcTime)
_AT = select(cuts).where(cuts.c.at == _TIME)
_BEFORE = select(cuts).where(cuts.c.at < _TIME).order_by(cuts.c.at.desc()).limit(1)
_AFTER = select(cuts).where(cuts.c.at > _TIME).order_by(cuts.c.at).limit(1)
_SOME = select(cuts).where(cuts.c.at.in_(bindparam("times", expanding=True)))


def keep_cuts(connection: Connection, wanted: Collection[Cut]) -> None:
    """Store cuts that positions and plans are about to refer to.

    Raises LedgerError if another cut is stored for one's `at`.
    """
    by_time = {cut.at: cut for cut in wanted}
    for chunk in chunks(by_time):
        insert_missing(connection, cuts, [_row(by_time[at]) for at in chunk])
        stored = cuts_at(connection, chunk)
        changed = [at for at in chunk if stored[at] != by_time[at]]
        if changed:
            raise LedgerError(
                f"Another cut is stored for {min(changed).isoformat()}.",
                "Take the stored one: a window's cut is decided once.",
            )


def cuts_at(connection: Connection, times: Sequence[datetime]) -> dict[datetime, Cut]:
    """The stored cuts of some times, at most CHUNK."""
    return cuts_by_time(connection, _SOME, times=times)


def cuts_by_time(
    connection: Connection, query: Select[datetime, str], **given: object
) -> dict[datetime, Cut]:
    """The cuts that a query of their table finds; `given` are its parameters."""
    return {at: _cut(at, tables) for at, tables in connection.execute(query, given)}


def _row(cut: Cut) -> dict[str, object]:
    tables = {name: [table.table_id, table.version] for name, table in cut.tables.items()}
    return {"at": cut.at, "tables": json.dumps(tables, sort_keys=True)}


def _cut(at: datetime, tables: str) -> Cut:
    return Cut(at, {name: TableCut(*table) for name, table in json.loads(tables).items()})
