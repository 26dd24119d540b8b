"""Stored cuts: decided once per window's end, referred to by it."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, select

from cio_pipeline.ledger.bulk import chunks, insert_missing
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
        return self._one(select(cuts).where(cuts.c.at == at))

    def store(self, cut: Cut) -> Cut:
        """Keep a cut; if one is stored for its `at` already, that one wins and is returned."""

        def work(connection: Connection) -> Cut:
            insert_missing(connection, cuts, [_row(cut)])
            return cuts_where(connection, cuts.c.at == cut.at)[cut.at]

        return self.database.write(work)

    def before(self, at: datetime) -> Cut | None:
        """The latest stored cut that ends before `at`."""
        return self._one(select(cuts).where(cuts.c.at < at).order_by(cuts.c.at.desc()).limit(1))

    def after(self, at: datetime) -> Cut | None:
        """The earliest stored cut that ends after `at`."""
        return self._one(select(cuts).where(cuts.c.at > at).order_by(cuts.c.at).limit(1))

    def _one(self, query: Select[datetime, str]) -> Cut | None:
        row = self.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _cut(*row)


def keep_cuts(connection: Connection, wanted: Collection[Cut]) -> None:
    """Store cuts that positions and plans are about to refer to.

    Raises LedgerError if another cut is stored for one's `at`.
    """
    by_time = {cut.at: cut for cut in wanted}
    for chunk in chunks(by_time):
        insert_missing(connection, cuts, [_row(by_time[at]) for at in chunk])
        stored = cuts_where(connection, cuts.c.at.in_(chunk))
        changed = [at for at in chunk if stored[at] != by_time[at]]
        if changed:
            raise LedgerError(
                f"Another cut is stored for {min(changed).isoformat()}.",
                "Take the stored one: a window's cut is decided once.",
            )


def cuts_where(
    connection: Connection, condition: ColumnElement[bool], **given: object
) -> dict[datetime, Cut]:
    """Stored cuts by time, each parsed once; `given` are the condition's parameters."""
    rows = connection.execute(select(cuts).where(condition), given)
    return {at: _cut(at, tables) for at, tables in rows}


def _row(cut: Cut) -> dict[str, object]:
    tables = {name: [table.table_id, table.version] for name, table in cut.tables.items()}
    return {"at": cut.at, "tables": json.dumps(tables, sort_keys=True)}


def _cut(at: datetime, tables: str) -> Cut:
    return Cut(at, {name: TableCut(*table) for name, table in json.loads(tables).items()})
