"""Identities that an append-only table brought in one window and again in a later one (C2).

A window knows of its own rows alone: to look through the whole table for each would cost the
table's size. So the windows of a day are held against each other, by the identities that came.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import polars as pl

from cio_pipeline.changesets.netting import CHANGE_TYPE, DELETE, INSERT
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.breaches import Breach, BreachKind
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import Mode, Plan
from cio_pipeline.pipeline.services import Services

MOST = 2_000_000
"""Identities kept in mind; of more, a half, a quarter … of them, which then stand for all."""

_WORKSPACE, _KEY = "workspace_id", "_key"


@dataclass
class CameAgain:
    """Windows' identities, held against those of earlier ones; `rows` came again, by workspace.

    Identities are told apart by a hash, and thinned out by it: one is left out of all windows or
    of none. So what is found of few is exact, and of many an estimate in bounded memory.
    """

    identity: Sequence[str]
    most: int = MOST
    rows: Counter[int] = field(default_factory=Counter[int])
    _one_of: int = 1
    _seen: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={_WORKSPACE: pl.Int64, _KEY: pl.UInt64})
    )

    def add(self, feed: Iterable[pl.DataFrame]) -> None:
        """Take the changes of the next window. Rows that it also took away count for nothing."""
        came, left = self._seen.clear(), self._seen.clear()
        for piece in feed:
            key = pl.struct(self.identity).hash().alias(_KEY)
            keyed = piece.drop_nulls(self.identity).select(_WORKSPACE, key, CHANGE_TYPE)
            came, left = (
                self._thin(
                    pl.concat(
                        [kept, keyed.filter(pl.col(CHANGE_TYPE) == kind).select(kept.columns)]
                    )
                )
                for kept, kind in ((came, INSERT), (left, DELETE))
            )
        came = self._thin(came.join(left, on=[_WORKSPACE, _KEY], how="anti"))
        again = came.join(self._seen, on=[_WORKSPACE, _KEY], how="semi")
        for workspace, rows in again.group_by(_WORKSPACE).len().iter_rows():
            self.rows[workspace] += rows * self._one_of
        self._seen = self._thin(pl.concat([self._seen, came]))

    def _thin(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Each once, and no more than are kept in mind."""
        found = keys.unique().filter(pl.col(_KEY) % self._one_of == 0)
        while found.height > self.most:
            self._one_of *= 2
            found = found.filter(pl.col(_KEY) % self._one_of == 0)
        return found


def came_again(services: Services, since: datetime, until: datetime) -> list[Breach]:
    """What came again among windows that end in (since, until].

    It is kept in the ledger as a breach of the source, so that `status` tells it. Only what was
    changed is read, and of that the identities. What cannot be read is left out: the
    recount tells of it.
    """
    found: list[Breach] = []
    for export, one in ALL_EXPORTS.items():
        table = SOURCE_TABLES[one.source]
        if table.kind is TableKind.APPEND_ONLY and not facts_of(export).overwrites:
            plans = [
                plan
                for plan in services.ledger.sent.plans(export, since, until)
                if plan.upper.at > since and plan.mode is not Mode.INITIAL
            ]
            rows = _rows(services, table, plans)
            if rows:
                found.append(Breach(table.name, BreachKind.CAME_AGAIN, rows))
    _keep(services, since, until, found)
    return found


def _rows(services: Services, table: SourceTable, plans: Sequence[Plan]) -> int:
    """How many rows of the plans' workspaces came again."""
    ours = CameAgain(table.identity)
    columns = list(dict.fromkeys([*table.identity, CHANGE_TYPE]))
    try:
        for lower, upper in _windows(table.name, plans):
            ours.add(services.source.feed(table, lower, upper, columns))
    except CioError:
        return 0
    return sum(ours.rows[workspace] for workspace in {plan.workspace_id for plan in plans})


def _windows(table: str, plans: Iterable[Plan]) -> Iterator[tuple[TableCut, TableCut]]:
    """The ranges between all cuts of some plans, whichever syncs they served."""
    cuts = {
        cut.at: cut.tables[table]
        for plan in plans
        for cut in (plan.lower, plan.upper)
        if cut is not None and table in cut.tables
    }
    for (_, lower), (_, upper) in pairwise(sorted(cuts.items(), key=lambda one: one[0])):
        if lower != upper and lower.table_id == upper.table_id:
            yield lower, upper


def _keep(services: Services, since: datetime, until: datetime, found: Sequence[Breach]) -> None:
    """Record breaches of a day, at its end, so that they are news for a day from then on.

    A day that was looked at before counts with the most that was found, an earlier one not at all.
    """
    known = {
        one.last.table: one.last_at
        for one in services.ledger.breaches.all()
        if one.last.kind is BreachKind.CAME_AGAIN
    }
    for breach in found:
        if known.get(breach.table, since) <= until:
            services.ledger.breaches.record(until, [breach])
