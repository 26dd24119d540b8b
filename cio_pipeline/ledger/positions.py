"""Positions and numbers: what each (sync, export) has come to, and how that may go on (D5, D6).

A position is the cut that was last delivered, per generation. What must hold of the files of plans
is checked before the first of them is put.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import Connection, bindparam, delete, exists, or_, select, update

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.ledger.given import name_pairs, of_pairs, rows_given
from cio_pipeline.ledger.schema import (
    IS_COMMITTED,
    IS_UNFINISHED,
    files,
    leases,
    plans,
    positions,
    sequences,
    syncs,
    voids,
)
from cio_pipeline.ledger.statements import UtcTime, insert_missing, upsert
from cio_pipeline.ledger.states import current_positions, generations
from cio_pipeline.model.errors import DigestMismatch, LedgerError, PositionMoved
from cio_pipeline.model.plans import Mode, Plan, PlanDraft, SealedPlan, Series
from cio_pipeline.model.registry import Pair

Counted: TypeAlias = tuple[str, str, Series]
"""What is counted on its own: sync id, export, series."""


_NEXT = select(sequences).where(of_pairs(sequences))


def require_same(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Raise DigestMismatch unless sealed plans bring the files that they were sealed with."""
    stored: dict[int, dict[tuple[str, int], str]] = {one.plan.plan_id: {} for one in sealed}
    if stored:
        rows = connection.execute(_DIGESTS, {"ids": stored})
        for plan_id, key, sequence, sha256 in rows:
            stored[plan_id][key, sequence] = sha256
    for one in sealed:
        before = stored[one.plan.plan_id]
        now = {(file.key, file.sequence): file.sha256 for file in one.files}
        different = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        if different:
            raise DigestMismatch(
                f"'{one.plan.export}' of sync '{one.plan.sync_id}' was sealed with other bytes "
                f"of {different[0][0]}.",
                "Run with the versions of Polars and cio-pipeline that sealed it"
                f"{', with the salt that it was hashed with' if one.plan.contract else ''}, "
                "or abandon the plan.",
            )


_DIGESTS = select(files.c.plan_id, files.c.key, files.c.sequence, files.c.sha256).where(
    rows_given((files.c.plan_id,), "ids"), ~IS_COMMITTED
)


def require_own_keys(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Raise LedgerError if a file has the key of another one of its sync."""
    keys = [
        (one.plan.sync_id, file.key)
        for one in sealed
        if not facts_of(one.plan.export).overwrites
        for file in one.files
    ]
    taken = {key for key, times in Counter(keys).items() if times > 1}
    known = connection.execute(_KNOWN_KEYS, {"keys": keys}).all()
    taken.update((sync_id, key) for sync_id, key in known)
    if taken:
        sync_id, key = min(taken)
        raise LedgerError(
            f"The key {key} of sync '{sync_id}' is planned twice.",
            "Give each export of the sync a stem of its own.",
        )


_KNOWN_KEYS = select(files.c.sync_id, files.c.key).where(
    rows_given((files.c.sync_id, files.c.key), "keys")
)


def next_numbers(connection: Connection, pairs: Collection[Pair]) -> dict[Counted, int]:
    """The lowest number never used, of both series of each pair."""
    found: dict[Counted, int] = defaultdict(lambda: 1)
    for sync_id, export, series, number in connection.execute(_NEXT, {"pairs": pairs}).all():
        found[sync_id, export, series] = number
    return found


def use_numbers(connection: Connection, sealed: Sequence[SealedPlan]) -> None:
    """Move the numbers past those of sealed files.

    Raises LedgerError unless the files take the next numbers without a gap, since each number is
    delivered or declared void. Parts go on within the number of the slices before.
    """
    used: dict[Counted, set[int]] = defaultdict(set)
    for one in sealed:
        _require_next_parts(one)
        plan = one.plan
        begun = {series: plan.first[series] for series, files in plan.sent.files.items() if files}
        for file in one.files:
            # A further part of the number that earlier slices began takes none.
            if file.part is None or file.sequence != begun.get(file.series):
                used[plan.sync_id, plan.export, file.series].add(file.sequence)
    numbers = next_numbers(connection, {(sync_id, export) for sync_id, export, _ in used})
    wrong = [
        counted
        for counted, taken in used.items()
        if (min(taken), max(taken) + 1) != (numbers[counted], numbers[counted] + len(taken))
    ]
    if wrong:
        sync_id, export, series = counted = min(wrong)
        raise LedgerError(
            f"The files of '{export}' of sync '{sync_id}' ({series.value}) take numbers "
            f"{min(used[counted])} to {max(used[counted])}, the next free one is "
            f"{numbers[counted]}.",
            "Report a bug: numbers are counted without gaps.",
        )
    rows = [
        {"sync_id": s, "export": e, "series": series, "next": max(taken) + 1}
        for (s, e, series), taken in used.items()
    ]
    upsert(connection, sequences, rows, only_if_grows="next")


def _require_next_parts(sealed: SealedPlan) -> None:
    plan = sealed.plan
    parts = sorted((file.series, file.part) for file in sealed.files if file.part is not None)
    for series, group in groupby(parts, key=lambda part: part[0]):
        found = [part for _, part in group]
        first = plan.sent.files.get(series, 0) + 1
        if found != list(range(first, first + len(found))):
            raise LedgerError(
                f"The files of '{plan.export}' of sync '{plan.sync_id}' have parts {found[0]} to "
                f"{found[-1]}, the next one is {first}.",
                "Report a bug: parts are counted without gaps.",
            )


def free_numbers(connection: Connection, plan: Plan) -> None:
    """Forget the files of the slice under way; their numbers, the last ones, are the next again.

    A number that earlier slices began stays used.
    """
    its = files.c.plan_id == plan.plan_id
    delivered = select(files.c.series, files.c.sequence).where(its, IS_COMMITTED)
    begun = set(connection.execute(delivered).all())
    used = select(files.c.series, files.c.sequence).where(its, ~IS_COMMITTED).distinct()
    free: dict[str, int] = {}
    for series, number in set(connection.execute(used).all()) - begun:
        free[series] = min(number, free.get(series, number))
    for series, number in free.items():
        connection.execute(
            update(sequences)
            .where(
                sequences.c.sync_id == plan.sync_id,
                sequences.c.export == plan.export,
                sequences.c.series == series,
            )
            .values(next=number)
        )
    connection.execute(delete(files).where(its, ~IS_COMMITTED))


def declare_void(connection: Connection, plan: Plan, *, void: bool) -> None:
    """Declare the numbers of the slice under way void; those of committed slices are delivered.

    A number that has parts in both was delivered: its last parts never existed for readers.
    """
    numbers = select(files.c.series, files.c.sequence).where(files.c.plan_id == plan.plan_id)
    delivered = connection.execute(numbers.where(IS_COMMITTED)).all()
    sealed = connection.execute(numbers.where(~IS_COMMITTED).distinct()).all()
    used = [number for number in sealed if number not in delivered]
    if used and not void:
        raise LedgerError(
            f"The plan of '{plan.export}' of sync '{plan.sync_id}' is sealed: its numbers are "
            "used.",
            "Abandon it with its numbers declared void.",
        )
    its = {"sync_id": plan.sync_id, "export": plan.export}
    rows = [{**its, "series": series, "sequence": sequence} for series, sequence in used]
    insert_missing(connection, voids, rows)


def locked_positions(connection: Connection, pairs: Collection[Pair]) -> dict[Pair, datetime]:
    """The positions of the current generations, locked; a pair without one is left out."""
    rows = connection.execute(_LOCKED, {"pairs": pairs}).all()
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
    upsert(connection, positions, rows, only_if_grows="at")


def require_finished(connection: Connection, pairs: Collection[Pair]) -> None:
    """Raise PositionMoved if any of the pairs has an unfinished plan."""
    unfinished = connection.execute(_UNFINISHED, {"pairs": pairs}).all()
    if unfinished:
        named = name_pairs((sync_id, export) for sync_id, export in unfinished)
        raise PositionMoved(f"A plan is unfinished for {named}.", "The next run resumes it.")


_UNFINISHED = select(plans.c.sync_id, plans.c.export).where(of_pairs(plans), IS_UNFINISHED)


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
        or not _goes_on_from(draft, at.get((draft.sync_id, draft.export)))
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


def _goes_on_from(draft: PlanDraft, position: datetime | None) -> bool:
    """Whether the plan goes forwards from a position, stays there for a retry, or lies before."""
    if draft.mode is Mode.REPLAY:
        return draft.lower is not None and position is not None and draft.upper.at <= position
    if (draft.lower.at if draft.lower else None) != position:
        return False
    if draft.lower is None:
        return draft.mode is not Mode.RETRY
    if draft.mode is Mode.RETRY:
        return draft.lower.at == draft.upper.at
    return draft.lower.at <= draft.upper.at


def require_lower(
    connection: Connection, wanted: Collection[PlanDraft], of: Mapping[str, int]
) -> None:
    """Raise PositionMoved unless positions are where plans begin; `of` has the generations."""
    at = locked_positions(connection, [(plan.sync_id, plan.export) for plan in wanted])
    moved = [
        (plan.sync_id, plan.export)
        for plan in wanted
        if not _goes_on_from(plan, at.get((plan.sync_id, plan.export)))
        or plan.generation != of[plan.sync_id]
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
    given = {"of": export, "sync_ids": sync_ids, "now": now}
    return list(connection.scalars(_FREE, given))


def step(
    connection: Connection,
    export: str,
    sync_ids: Collection[str],
    at: datetime,
    *,
    to: datetime,
    now: datetime,
) -> list[str]:
    """Move the positions that are at `at` and have no unfinished plan; whose they are."""
    given = {"of": export, "sync_ids": sync_ids, "stand": at, "to": to, "now": now}
    return list(connection.scalars(_STEP, given))


_NOW = bindparam("now", type_=UtcTime)
_FREE = (
    select(leases.c.sync_id)
    .where(leases.c.export == bindparam("of"), rows_given((leases.c.sync_id,), "sync_ids"))
    .where(or_(leases.c.owner.is_(None), leases.c.expires_at <= _NOW))
    .order_by(leases.c.sync_id)
    .with_for_update()
)
_GENERATION = select(syncs.c.generation).where(syncs.c.id == positions.c.sync_id).scalar_subquery()
_UNDER_WAY = exists().where(
    plans.c.sync_id == positions.c.sync_id, plans.c.export == bindparam("of"), IS_UNFINISHED
)
_STEP = (
    update(positions)
    .where(positions.c.export == bindparam("of"), rows_given((positions.c.sync_id,), "sync_ids"))
    .where(positions.c.at == bindparam("stand", type_=UtcTime))
    .where(positions.c.generation == _GENERATION, ~_UNDER_WAY)
    .values(at=bindparam("to", type_=UtcTime), moved_at=_NOW)
    .returning(positions.c.sync_id)
)
