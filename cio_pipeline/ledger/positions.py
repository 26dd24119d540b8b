"""Positions: the cut that each (sync, export) was last delivered, per generation."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, Update, exists, or_, select, update

from cio_pipeline.ledger.bulk import chunks, name_pairs, upsert
from cio_pipeline.ledger.cuts import keep_cuts
from cio_pipeline.ledger.errors import end_errors
from cio_pipeline.ledger.given import as_given, of_pairs
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.schema import is_unfinished, leases, plans, positions, syncs
from cio_pipeline.ledger.states import current_positions
from cio_pipeline.ledger.sync_rows import generations
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.registry import Lease, Pair


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


def advance(
    connection: Connection, lease: Lease, pairs: Collection[Pair], to: Cut, now: datetime
) -> None:
    """Move positions where there is nothing to send; those that are further stay.

    Raises LeaseLost, and PositionMoved if a pair has an unfinished plan.
    """
    hold(connection, lease, pairs)
    busy = unfinished_pairs(connection, pairs)
    if busy:
        raise PositionMoved(
            f"A plan is unfinished for {name_pairs(busy)}.", "The next run resumes it."
        )
    keep_cuts(connection, [to])
    ends = dict.fromkeys(pairs, to.at)
    move(connection, ends, generations(connection, {sync_id for sync_id, _ in pairs}), now)
    end_errors(connection, ends)


def advance_unheld(
    connection: Connection, stands: Mapping[Pair, datetime], to: Cut, now: datetime
) -> list[Pair]:
    """Move positions of pairs that nobody holds; see Plans.advance_unheld.

    Locking the leases' rows keeps others from claiming the pairs meanwhile. A run that claimed a
    pair before, and let its lease expire, is stopped when it opens a plan: the position is not
    the plan's lower bound any more.
    """
    keep_cuts(connection, [to])
    alike: dict[tuple[str, datetime], list[str]] = defaultdict(list)
    for (sync_id, export), at in sorted(stands.items()):
        if at < to.at:
            alike[export, at].append(sync_id)
    moved: list[Pair] = []
    for (export, at), sync_ids in alike.items():
        for chunk in chunks(sync_ids):
            free = _free(connection, export, chunk, now)
            found = connection.scalars(
                _step(export, free, at)
                .values(at=to.at, moved_at=now)
                .returning(positions.c.sync_id)
            )
            moved += [(sync_id, export) for sync_id in found]
    end_errors(connection, dict.fromkeys(moved, to.at))
    return moved


def _free(
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


def _step(export: str, sync_ids: Collection[str], at: datetime) -> Update:
    """Moves the positions that are at `at` and have no unfinished plan."""
    c = positions.c
    generation = select(syncs.c.generation).where(syncs.c.id == c.sync_id).scalar_subquery()
    unfinished = exists().where(
        plans.c.sync_id == c.sync_id, plans.c.export == export, is_unfinished()
    )
    return (
        update(positions)
        .where(c.export == export, c.sync_id.in_(sync_ids), c.at == at)
        .where(c.generation == generation, ~unfinished)
    )


def unfinished_pairs(connection: Connection, pairs: Collection[Pair]) -> set[Pair]:
    """The pairs that have an open or sealed plan."""
    rows = connection.execute(_UNFINISHED, {"pairs": as_given(pairs)})
    return {(sync_id, export) for sync_id, export in rows}


_UNFINISHED = select(plans.c.sync_id, plans.c.export).where(of_pairs(plans), is_unfinished())
