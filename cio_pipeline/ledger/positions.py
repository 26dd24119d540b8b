"""Positions: the cut that each (sync, export) was last delivered, per generation."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Update, exists, or_, select, update

from cio_pipeline.ledger.plan_rows import pair_of
from cio_pipeline.ledger.schema import is_unfinished, leases, plans, positions, syncs
from cio_pipeline.ledger.sealing import next_numbers
from cio_pipeline.ledger.statements import (
    as_given,
    chunks,
    name_pairs,
    of_pairs,
    upsert,
)
from cio_pipeline.ledger.states import current_positions
from cio_pipeline.ledger.sync_rows import generations
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.model.registry import Pair


def locked_positions(connection: Connection, pairs: Collection[Pair]) -> dict[Pair, datetime]:
    """The positions of the current generations, locked; a pair without one is left out."""
    rows = connection.execute(_LOCKED, {"pairs": as_given(pairs)})
    return {(sync_id, export): at for sync_id, export, at in rows}


_LOCKED = (
    current_positions()
    .where(of_pairs(positions))
    .order_by(positions.c.sync_id, positions.c.export)
    .with_for_update(of=positions)
)


def move(
    connection: Connection, to: Mapping[Pair, datetime], of: Mapping[str, int], now: datetime
) -> None:
    """Set positions in the generation `of` each sync, never backwards."""
    rows = [
        {"sync_id": s, "export": e, "generation": of[s], "at": at, "moved_at": now}
        for (s, e), at in to.items()
    ]
    for chunk in chunks(rows):
        upsert(connection, positions, chunk, only_if_grows="at")


def require_finished(connection: Connection, pairs: Collection[Pair]) -> None:
    """Raise PositionMoved if any of the pairs has an unfinished plan."""
    unfinished = connection.execute(_UNFINISHED, {"pairs": as_given(pairs)}).all()
    if unfinished:
        named = name_pairs((sync_id, export) for sync_id, export in unfinished)
        raise PositionMoved(f"A plan is unfinished for {named}.", "The next run resumes it.")


_UNFINISHED = select(plans.c.sync_id, plans.c.export).where(of_pairs(plans), is_unfinished())


def require_fresh(
    connection: Connection, drafts: Sequence[PlanDraft], pairs: Sequence[Pair]
) -> None:
    """Raise PositionMoved unless the drafts were made from what the ledger holds now."""
    require_finished(connection, pairs)
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
        raise PositionMoved(
            f"The position is another now for {name_pairs(stale)}.",
            "Read the state again: the next run does.",
        )


def _continues(draft: PlanDraft) -> bool:
    """Whether the plan goes forwards, or stays where it is for a retry."""
    if draft.lower is None:
        return draft.mode is not Mode.RETRY
    if draft.mode is Mode.RETRY:
        return draft.lower.at == draft.upper.at
    return draft.lower.at <= draft.upper.at


def require_lower(connection: Connection, rows: Collection[RowMapping], of: dict[str, int]) -> None:
    """Raise PositionMoved unless positions are where plans begin; `of` has the generations."""
    at = locked_positions(connection, [pair_of(row) for row in rows])
    moved = [
        pair_of(row)
        for row in rows
        if at.get(pair_of(row)) != row["lower_at"] or row["generation"] != of[row["sync_id"]]
    ]
    if moved:
        raise PositionMoved(
            f"The position is no longer where the plan began for {name_pairs(moved)}.",
            "Another run delivered it; abandon the plan.",
        )


def free_syncs(
    connection: Connection, export: str, sync_ids: Collection[str], now: datetime
) -> list[str]:
    """The syncs among some whose lease on the export nobody has; its rows are locked."""
    c = leases.c
    query = (
        select(c.sync_id)
        .where(c.export == export, c.sync_id.in_(sync_ids))
        .where(or_(c.owner.is_(None), c.expires_at <= now))
        .order_by(c.sync_id)
        .with_for_update()
    )
    return list(connection.scalars(query))


def step(export: str, sync_ids: Collection[str], at: datetime) -> Update:
    """Moves the positions that are at `at` and have no unfinished plan; tells whose they are."""
    c = positions.c
    generation = select(syncs.c.generation).where(syncs.c.id == c.sync_id).scalar_subquery()
    unfinished = exists().where(
        plans.c.sync_id == c.sync_id, plans.c.export == export, is_unfinished()
    )
    return (
        update(positions)
        .where(c.export == export, c.sync_id.in_(sync_ids), c.at == at)
        .where(c.generation == generation, ~unfinished)
        .returning(c.sync_id)
    )
