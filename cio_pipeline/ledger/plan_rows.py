"""Plans and files as rows, and back."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select, update

from cio_pipeline.ledger.given import name_pairs, of_pairs, rows_given
from cio_pipeline.ledger.schema import IS_UNFINISHED, files, plans
from cio_pipeline.ledger.statements import insert_rows, places
from cio_pipeline.ledger.troubles import storable
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.plans import (
    Plan,
    PlanDraft,
    PlanState,
    SealedFile,
    SealedPlan,
    SentSoFar,
    Series,
)

_OTHERWISE = {"lower", "upper", "until", "first", "begun"}
_ALIKE = [one.name for one in fields(PlanDraft) if one.name not in _OTHERWISE]
"""What a plan and its row have in common."""
_alike_of = attrgetter(*_ALIKE)

PLANS = select(plans)
"""Plans as `plan_of` takes them."""

cuts_of = places(PLANS, ("lower_at", "upper_at", "until_at"))
"""The times of the cuts that a plan's row refers to; None where it does to none."""

_OF_PLAN = places(PLANS, [*_ALIKE, "first", "begun_at", "id", "state", "slice"])


_OF_FILE = [one.name for one in fields(SealedFile)]
_of_file = attrgetter(*_OF_FILE)

FILES = select(files)
"""Files as `file_of` takes them."""

_OF_FILE_ROW = places(FILES, _OF_FILE)


def plan_row(draft: PlanDraft, now: datetime) -> dict[str, Any]:
    """The row of a new plan."""
    return {
        **dict(zip(_ALIKE, _alike_of(draft), strict=True)),
        "lower_at": draft.lower.at if draft.lower else None,
        "upper_at": draft.upper.at,
        "until_at": draft.until.at if draft.until else None,
        "first": _text(tuple(sorted(draft.first.items()))),
        "begun_at": draft.begun,
        "state": PlanState.OPEN,
        "opened_at": now,
    }


def plan_of(
    row: Row[Any], cuts_by_time: Mapping[datetime, Cut], sent: SentSoFar | None = None
) -> Plan:
    """A plan from its row, the cuts it refers to, and what its committed slices sent."""
    lower, upper, until = cuts_of(row)
    *alike, first, begun, plan_id, state, number = _OF_PLAN(row)
    return Plan(
        **dict(zip(_ALIKE, alike, strict=True)),
        lower=cuts_by_time[lower] if lower else None,
        upper=cuts_by_time[upper],
        until=cuts_by_time[until] if until else None,
        first=_numbers(first),
        begun=begun,
        plan_id=plan_id,
        state=state,
        slice=number,
        sent=sent or _NOTHING,
    )


_NOTHING = SentSoFar()


# Both cached: those of a window's plans are few, and a thousand plans are read again and again.
@lru_cache(maxsize=1024)
def _text(first: tuple[tuple[Series, int], ...]) -> str:
    return json.dumps(dict(first))


@lru_cache(maxsize=1024)
def _numbers(first: str) -> Mapping[Series, int]:
    found: dict[str, int] = json.loads(first)
    return {Series(series): number for series, number in found.items()}


def file_row(
    plan: Plan, number: int, file: SealedFile, counts: Sequence[tuple[str, int]] = ()
) -> dict[str, Any]:
    """The row of a sealed file of the plan's slice; `number` is its place in the plan.

    `counts` are of the slice's rows, kept with its first file.
    """
    return {
        **dict(zip(_OF_FILE, _of_file(file), strict=True)),
        "plan_id": plan.plan_id,
        "number": number,
        "sync_id": plan.sync_id,
        "counts": json.dumps([(storable(kind), n) for kind, n in counts]) if counts else None,
    }


def file_of(row: Row[Any]) -> SealedFile:
    """A sealed file from its row."""
    return SealedFile(*_OF_FILE_ROW(row))


def of_plans() -> ColumnElement[bool]:
    """Whether a plan is one of those whose ids are given as `ids`, see `rows_given`."""
    return rows_given((plans.c.id,), "ids")


_LOCKED = (
    select(plans.c.state)
    .where(of_plans(), plans.c.state.in_(bindparam("states", expanding=True)))
    .where(plans.c.slice == bindparam("slice"))
    .order_by(plans.c.id)
    .with_for_update()
    .subquery()
)
_LOCK = select(_LOCKED.c.state, func.count()).group_by(_LOCKED.c.state)
_STANDS = select(plans.c.id, plans.c.state, plans.c.slice).where(of_plans())


def lock_plans(
    connection: Connection, wanted: Collection[Plan], states: Collection[str]
) -> Mapping[str, int]:
    """How many plans are in each state now, their rows locked.

    Raises PositionMoved unless each is in one of some states, at the slice it is given.
    """
    at_slice: dict[int, set[int]] = defaultdict(set)
    for plan in wanted:
        at_slice[plan.slice].add(plan.plan_id)
    found: Counter[str] = Counter()
    for number, ids in sorted(at_slice.items()):
        given = {"ids": sorted(ids), "states": sorted(states), "slice": number}
        for state, count in connection.execute(_LOCK, given):
            found[state] += count
    if found.total() < sum(map(len, at_slice.values())):
        raise _moved(connection, wanted, states)
    return found


def _moved(
    connection: Connection, wanted: Collection[Plan], states: Collection[str]
) -> PositionMoved:
    ids = [plan.plan_id for plan in wanted]
    rows = {one: how for one, *how in connection.execute(_STANDS, {"ids": ids})}
    right = {plan.plan_id: [[state, plan.slice] for state in states] for plan in wanted}
    wrong = [
        (plan.sync_id, plan.export)
        for plan in wanted
        if rows.get(plan.plan_id) not in right[plan.plan_id]
    ]
    return PositionMoved(
        f"The plan is not {' or '.join(sorted(states))} any more, or is at another slice, for "
        f"{name_pairs(wrong)}.",
        "Read the state again: the next run does.",
    )


def ids_of(wanted: Collection[Plan]) -> set[int]:
    """The ids of plans."""
    return {plan.plan_id for plan in wanted}


def plans_in(connection: Connection, wanted: Collection[Plan], state: PlanState) -> set[int]:
    """The ids of those of some plans that are in a state."""
    rows = connection.execute(_STANDS, {"ids": ids_of(wanted)})
    return {plan_id for plan_id, now, _ in rows if now is state}


_NUMBERED = select(plans.c.id, plans.c.sync_id, plans.c.export).where(
    of_pairs(plans), IS_UNFINISHED
)


def insert_plans(connection: Connection, drafts: Sequence[PlanDraft], now: datetime) -> list[Plan]:
    """Store new plans, as they are numbered then."""
    insert_rows(connection, plans, [plan_row(draft, now) for draft in drafts])
    # A pair has no other one that is unfinished.
    pairs = [(draft.sync_id, draft.export) for draft in drafts]
    numbered = connection.execute(_NUMBERED, {"pairs": pairs}).all() if pairs else ()
    ids = {(sync_id, export): plan_id for plan_id, sync_id, export in numbered}
    return [
        Plan(**vars(one), plan_id=ids[one.sync_id, one.export], state=PlanState.OPEN)
        for one in drafts
    ]


def insert_files(connection: Connection, sealed: Iterable[SealedPlan]) -> None:
    """Store the files of slices, after those of the slices before."""
    rows = [
        file_row(one.plan, first + place, file, () if place else one.counts)
        for one in sealed
        for first in [sum(one.plan.sent.files.values())]
        for place, file in enumerate(one.files)
    ]
    insert_rows(connection, files, rows)


_OF_PLANS = update(plans).where(of_plans())


def set_plans(connection: Connection, plan_ids: Collection[int], **values: Any) -> None:
    """Give columns of some plans other values."""
    if plan_ids:
        connection.execute(_OF_PLANS.values(**values), {"ids": plan_ids})
