"""How a plan starts, and how one ends without being delivered."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from cio_pipeline.ledger.bulk import insert_missing, name_pairs
from cio_pipeline.ledger.cuts import keep_cuts
from cio_pipeline.ledger.given import ids_given, of_plans
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.numbers import next_numbers
from cio_pipeline.ledger.plan_rows import is_committed, opened, plan_row
from cio_pipeline.ledger.positions import locked_positions, unfinished_pairs
from cio_pipeline.ledger.quarantine import read_again
from cio_pipeline.ledger.schema import UNFINISHED, files, plans, voids
from cio_pipeline.ledger.sync_rows import generations
from cio_pipeline.model.errors import LedgerError, PositionMoved
from cio_pipeline.model.plans import Mode, Plan, PlanDraft, PlanState
from cio_pipeline.model.registry import Lease, Pair

_STALE = "Read the state again: the next run does."


def open_plans(
    connection: Connection, lease: Lease, drafts: Sequence[PlanDraft], now: datetime
) -> Sequence[Plan]:
    """Number and store plans; see Plans.open."""
    pairs = [(draft.sync_id, draft.export) for draft in drafts]
    hold(connection, lease, pairs)
    _require_fresh(connection, drafts, pairs)
    keep_cuts(connection, [cut for d in drafts for cut in (d.lower, d.upper) if cut])
    ids = _insert(connection, [plan_row(draft, now) for draft in drafts])
    return [opened(draft, ids[draft.sync_id, draft.export]) for draft in drafts]


_LOCKED = select(plans).where(of_plans()).order_by(plans.c.id).with_for_update()


def lock_plans(connection: Connection, plan_ids: Collection[int]) -> dict[int, RowMapping]:
    """The rows of plans by id, locked."""
    rows = connection.execute(_LOCKED, {"ids": ids_given(plan_ids)}).mappings()
    return {row["id"]: row for row in rows}


def require_state(
    rows: Mapping[int, RowMapping], wanted: Collection[Plan], states: Collection[str]
) -> None:
    """Raise PositionMoved unless each plan is in one of some states, at the slice it is given."""
    wrong = [
        (plan.sync_id, plan.export)
        for plan in wanted
        if plan.plan_id not in rows
        or rows[plan.plan_id]["state"] not in states
        or rows[plan.plan_id]["slice"] != plan.slice
    ]
    if wrong:
        raise PositionMoved(
            f"The plan is not {' or '.join(sorted(states))} any more, or is at another slice, for "
            f"{name_pairs(wrong)}.",
            _STALE,
        )


def abandon(connection: Connection, lease: Lease, plan: Plan, *, void: bool, now: datetime) -> None:
    """Close one plan without delivering it; see Plans.abandon."""
    hold(connection, lease, [(plan.sync_id, plan.export)])
    rows = lock_plans(connection, [plan.plan_id])
    require_state(rows, [plan], UNFINISHED)
    if rows[plan.plan_id]["state"] != PlanState.OPEN:
        _void(connection, plan, void=void)
    if plan.mode is not Mode.RETRY:
        read_again(connection, [plan.plan_id])
    connection.execute(
        update(plans)
        .where(plans.c.id == plan.plan_id)
        .values(state=PlanState.ABANDONED.value, closed_at=now)
    )


def _void(connection: Connection, plan: Plan, *, void: bool) -> None:
    """Declare the numbers of the slice under way void; those of committed slices are delivered.

    A number that has parts in both was delivered: its last parts never existed for readers.
    """
    numbers = select(files.c.series, files.c.sequence).where(files.c.plan_id == plan.plan_id)
    delivered = connection.execute(numbers.where(is_committed())).all()
    sealed = connection.execute(numbers.where(~is_committed()).distinct()).all()
    used = [number for number in sealed if number not in delivered]
    if used and not void:
        raise LedgerError(
            f"The plan of '{plan.export}' of sync '{plan.sync_id}' is sealed: its numbers are "
            "used.",
            "Abandon it with its numbers declared void.",
        )
    insert_missing(
        connection,
        voids,
        [
            {
                "sync_id": plan.sync_id,
                "export": plan.export,
                "series": series,
                "sequence": sequence,
            }
            for series, sequence in used
        ],
    )


def _require_fresh(
    connection: Connection, drafts: Sequence[PlanDraft], pairs: Sequence[Pair]
) -> None:
    """Raise PositionMoved unless the drafts were made from what the ledger holds now."""
    unfinished = unfinished_pairs(connection, pairs)
    if unfinished:
        raise PositionMoved(
            f"A plan is unfinished for {name_pairs(unfinished)}.", "The next run resumes it."
        )
    at = locked_positions(connection, pairs)
    of = generations(connection, {sync_id for sync_id, _ in pairs})
    numbers = next_numbers(connection, pairs)
    stale = [
        (draft.sync_id, draft.export)
        for draft in drafts
        if draft.generation != of[draft.sync_id]
        or (draft.lower.at if draft.lower else None) != at.get((draft.sync_id, draft.export))
        or not _continues(draft)
        or any(
            number != numbers[draft.sync_id, draft.export, series]
            for series, number in draft.first.items()
        )
    ]
    if stale:
        raise PositionMoved(f"The position is another now for {name_pairs(stale)}.", _STALE)


def _continues(draft: PlanDraft) -> bool:
    """Whether the plan goes forwards, or stays where it is for a retry."""
    if draft.lower is None:
        return draft.mode is not Mode.RETRY
    if draft.mode is Mode.RETRY:
        return draft.lower.at == draft.upper.at
    return draft.lower.at <= draft.upper.at


_INSERTED = insert(plans).returning(plans.c.id, plans.c.sync_id, plans.c.export)


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[Pair, int]:
    if not rows:
        return {}
    result = connection.execute(_INSERTED, list(rows))
    return {(sync_id, export): plan_id for plan_id, sync_id, export in result}
