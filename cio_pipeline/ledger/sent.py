"""What plans have sent and held back, to hold it against the source later."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from cio_pipeline.ledger.database import Database, reading
from cio_pipeline.ledger.schema import (
    IS_COMMITTED,
    files,
    plans,
    quarantine,
    quarantine_bulk,
    rewrites,
)
from cio_pipeline.ledger.statements import rows_given
from cio_pipeline.ledger.states import plans_of
from cio_pipeline.model.plans import Mode, Plan, PlanState

_OF_WINDOWS = (Mode.INITIAL.value, Mode.CHANGES.value, Mode.CATCH_UP.value)
_DONE = plans.c.state == PlanState.COMMITTED.value


@dataclass(frozen=True)
class Sent:
    """What was sent, by plan."""

    database: Database

    @reading
    def plans(
        self, connection: Connection, export: str, since: datetime, until: datetime
    ) -> Sequence[Plan]:
        """The committed plans of windows of an export that end in (since, until], in order.

        Of each sync the last one before comes first, if there is any.
        """
        c = plans.c
        its = c.export == export, _DONE, c.mode.in_(_OF_WINDOWS)
        within = select(plans).where(*its, c.upper_at > since, c.upper_at <= until)
        rows = list(connection.execute(within).mappings())
        last = (
            select(func.max(c.id))
            .where(*its, c.upper_at <= since, c.sync_id.in_({row["sync_id"] for row in rows}))
            .group_by(c.sync_id)
        )
        rows += connection.execute(select(plans).where(c.id.in_(last))).mappings()
        rows.sort(key=lambda row: (row["sync_id"], row["upper_at"], row["id"]))
        return plans_of(connection, rows)[0]

    @reading
    def rows(self, connection: Connection, plan_ids: Collection[int]) -> Mapping[int, int]:
        """How many rows the listed files of plans have; none of those that have no file."""
        c = files.c
        given = rows_given((c.plan_id,), "ids")
        query = select(c.plan_id, func.sum(c.rows)).where(given, IS_COMMITTED).group_by(c.plan_id)
        rows = connection.execute(query, {"ids": plan_ids})
        return {plan_id: int(count) for plan_id, count in rows}

    @reading
    def again(self, connection: Connection, export: str) -> set[tuple[str, datetime, datetime]]:
        """The ranges of an export that were sent again: sync, lower and upper time."""
        c = plans.c
        its = c.export == export, _DONE, c.mode == Mode.REPLAY.value
        rows = connection.execute(select(c.sync_id, c.lower_at, c.upper_at).where(*its))
        return {(sync_id, lower, upper) for sync_id, lower, upper in rows}

    @reading
    def rewritten(self, connection: Connection, plan_ids: Collection[int]) -> set[int]:
        """The plans of which a file was rewritten since: it may have fewer rows."""
        c = files.c
        query = (
            select(c.plan_id)
            .join(rewrites, (rewrites.c.sync_id == c.sync_id) & (rewrites.c.key == c.key))
            .where(rows_given((c.plan_id,), "ids"))
        )
        return set(connection.scalars(query, {"ids": plan_ids}))

    @reading
    def held(self, connection: Connection, plan_ids: Collection[int]) -> Mapping[int, int]:
        """How many rows plans held back, as far as the ledger still tells."""
        found: dict[int, int] = {}
        c, given = quarantine.c, {"ids": plan_ids}
        single = select(c.plan_id, func.sum(c.count)).group_by(c.plan_id)
        for plan_id, count in connection.execute(
            single.where(rows_given((c.plan_id,), "ids")), given
        ):
            found[plan_id] = int(count)
        bulk = select(quarantine_bulk.c.plan_id, quarantine_bulk.c.reasons)
        for plan_id, reasons in connection.execute(
            bulk.where(rows_given((quarantine_bulk.c.plan_id,), "ids")), given
        ):
            found[plan_id] = found.get(plan_id, 0) + _counted(reasons)
        return found


def _counted(reasons: str) -> int:
    return sum(count for _, count, _ in json.loads(reasons).values())
