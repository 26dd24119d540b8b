"""Committing: files count as delivered and positions move, together or not at all."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from cio_pipeline.ledger.bulk import name_pairs
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


def commit(connection: Connection, lease: Lease, committed: Sequence[Plan], now: datetime) -> None:
    """Files and new positions of sealed plans; see Plans.commit.

    A plan that has more slices goes on to the next: only the last one moves the position.
    """
    if not committed:
        return
    pairs = [(plan.sync_id, plan.export) for plan in committed]
    hold(connection, lease, pairs)
    rows = lock_plans(connection, [plan.plan_id for plan in committed])
    require_state(rows, committed, [PlanState.SEALED])
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
    number = _next_number(connection)
    _set(connection, rows, slice=plans.c.slice + 1, commit_number=number)
    _set(connection, rows.keys() - done, state=PlanState.OPEN.value, sealed_at=None, resolved=None)
    _set(connection, done, state=PlanState.COMMITTED.value, closed_at=now)


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


def _next_number(connection: Connection) -> int | None:
    """A number that tells the order of commits.

    The counter's row stays locked until the transaction ends, so numbers are in commit order.
    """
    counted = counters.c.name == "commit"
    connection.execute(update(counters).where(counted).values(value=counters.c.value + 1))
    return connection.scalar(select(counters.c.value).where(counted))


def _set(connection: Connection, plan_ids: Collection[int], **values: Any) -> None:
    if plan_ids:
        connection.execute(_OF_PLANS.values(**values), {"ids": ids_given(plan_ids)})


_OF_PLANS = update(plans).where(of_plans())


def _pair(row: RowMapping) -> Pair:
    return row["sync_id"], row["export"]
