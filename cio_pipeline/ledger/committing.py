"""A commit is a manifest: files are listed and positions move, together or not at all (D6, D10)."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, update

from cio_pipeline.ledger.bulk import name_pairs
from cio_pipeline.ledger.chain import list_next
from cio_pipeline.ledger.errors import end_errors
from cio_pipeline.ledger.given import ids_given, of_plans
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.opening import lock_plans, require_state
from cio_pipeline.ledger.positions import locked_positions, move
from cio_pipeline.ledger.quarantine import resolve
from cio_pipeline.ledger.schema import counters, plans
from cio_pipeline.ledger.sync_rows import generations
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.plans import Mode, Plan, PlanState
from cio_pipeline.model.registry import Lease, Pair
from cio_pipeline.model.windows import Window


def deliver(connection: Connection, lease: Lease, delivered: Sequence[Plan]) -> None:
    """Keep that the files of sealed plans lie in their buckets; see Plans.deliver."""
    if not delivered:
        return
    hold(connection, lease, [(plan.sync_id, plan.export) for plan in delivered])
    rows = lock_plans(connection, [plan.plan_id for plan in delivered])
    require_state(rows, delivered, [PlanState.SEALED, PlanState.DELIVERED])
    _set(connection, rows, state=PlanState.DELIVERED.value)


def withdraw(connection: Connection, lease: Lease, plan: Plan) -> None:
    """Keep that a plan's files may not lie in their bucket any more; see Plans.withdraw."""
    hold(connection, lease, [(plan.sync_id, plan.export)])
    rows = lock_plans(connection, [plan.plan_id])
    require_state(rows, [plan], [PlanState.DELIVERED])
    _set(connection, rows, state=PlanState.SEALED.value)


def commit(
    connection: Connection,
    lease: Lease,
    delivered: Sequence[Plan],
    window: Window,
    now: datetime,
    *,
    listing: Collection[str],
) -> dict[str, int]:
    """List the files of delivered plans and move their positions; see Plans.commit.

    A plan that has more slices goes on to the next: only the last one moves the position.
    """
    rows = _committed(connection, lease, delivered, now) if delivered else {}
    syncs = {*listing, *(row["sync_id"] for row in rows.values())}
    return list_next(connection, syncs, rows, window, now)


def _committed(
    connection: Connection, lease: Lease, delivered: Sequence[Plan], now: datetime
) -> dict[int, RowMapping]:
    pairs = [(plan.sync_id, plan.export) for plan in delivered]
    hold(connection, lease, pairs)
    rows = lock_plans(connection, [plan.plan_id for plan in delivered])
    require_state(rows, delivered, [PlanState.DELIVERED])
    of = generations(connection, {sync_id for sync_id, _ in pairs})
    _require_lower(connection, rows.values(), of)
    done = {plan_id: row for plan_id, row in rows.items() if row["slice"] + 1 >= row["slices"]}
    ends = {_pair(row): row["upper_at"] for row in done.values()}
    move(connection, ends, of, now)
    end_errors(connection, ends)
    for row in rows.values():
        if row["resolved"]:
            state = "sent" if row["mode"] == Mode.RETRY else "superseded"
            resolve(connection, row["id"], _pair(row), json.loads(row["resolved"]), state)
    _count(connection)
    _set(connection, rows, slice=plans.c.slice + 1)
    _set(connection, rows.keys() - done, state=PlanState.OPEN.value, sealed_at=None, resolved=None)
    _set(connection, done, state=PlanState.COMMITTED.value, closed_at=now)
    return rows


def _require_lower(
    connection: Connection, rows: Collection[RowMapping], of: dict[str, int]
) -> None:
    at = locked_positions(connection, [_pair(row) for row in rows])
    moved = [
        _pair(row)
        for row in rows
        if at.get(_pair(row)) != row["lower_at"] or row["generation"] != of[row["sync_id"]]
    ]
    if moved:
        raise PositionMoved(
            f"The position is no longer where the plan began for {name_pairs(moved)}.",
            "Another run delivered it; abandon the plan.",
        )


def _count(connection: Connection) -> None:
    """Count the commit: how far a ledger has come tells it from an older one."""
    counted = counters.c.name == "commit"
    connection.execute(update(counters).where(counted).values(value=counters.c.value + 1))


def _set(connection: Connection, plan_ids: Collection[int], **values: Any) -> None:
    if plan_ids:
        connection.execute(_OF_PLANS.values(**values), {"ids": ids_given(plan_ids)})


_OF_PLANS = update(plans).where(of_plans())


def _pair(row: RowMapping) -> Pair:
    return row["sync_id"], row["export"]
