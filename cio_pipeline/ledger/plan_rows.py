"""Plans and files as rows, and back."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, insert, select, update

from cio_pipeline.ledger.schema import files, plans
from cio_pipeline.ledger.statements import name_pairs, rows_given
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

CUTS = ("lower_at", "upper_at", "until_at")
"""The columns of a plan that are times of cuts."""

_OTHERWISE = {"lower", "upper", "until", "first", "begun"}
_ALIKE = [one.name for one in fields(PlanDraft) if one.name not in _OTHERWISE]
"""What a plan and its row have in common."""

_OF_FILE = [one.name for one in fields(SealedFile)]


def plan_row(draft: PlanDraft, now: datetime) -> dict[str, Any]:
    """The row of a new plan."""
    return {
        **{name: getattr(draft, name) for name in _ALIKE},
        "lower_at": draft.lower.at if draft.lower else None,
        "upper_at": draft.upper.at,
        "until_at": draft.until.at if draft.until else None,
        "first": json.dumps(draft.first, sort_keys=True),
        "begun_at": draft.begun,
        "state": PlanState.OPEN,
        "opened_at": now,
    }


def plan_of(
    row: RowMapping, cuts_by_time: Mapping[datetime, Cut], sent: SentSoFar | None = None
) -> Plan:
    """A plan from its row, the cuts it refers to, and what its committed slices sent."""
    lower, until = row["lower_at"], row["until_at"]
    return Plan(
        **{name: row[name] for name in _ALIKE},
        lower=cuts_by_time[lower] if lower else None,
        upper=cuts_by_time[row["upper_at"]],
        until=cuts_by_time[until] if until else None,
        first=_numbers(row["first"]),
        begun=row["begun_at"],
        plan_id=row["id"],
        state=row["state"],
        slice=row["slice"],
        sent=sent or _NOTHING,
    )


_NOTHING = SentSoFar()


@lru_cache(maxsize=1024)
def _numbers(first: str) -> Mapping[Series, int]:
    # Cached: those of a window's plans are few, and a thousand plans are read again and again.
    found: dict[str, int] = json.loads(first)
    return {Series(series): number for series, number in found.items()}


def file_row(
    plan: Plan, number: int, file: SealedFile, counts: Sequence[tuple[str, int]] = ()
) -> dict[str, Any]:
    """The row of a sealed file of the plan's slice; `number` is its place in the plan.

    `counts` are of the slice's rows, kept with its first file.
    """
    return {
        **{name: getattr(file, name) for name in _OF_FILE},
        "plan_id": plan.plan_id,
        "number": number,
        "sync_id": plan.sync_id,
        "counts": json.dumps([(storable(kind), n) for kind, n in counts]) if counts else None,
    }


def file_of(row: RowMapping) -> SealedFile:
    """A sealed file from its row."""
    return SealedFile(**{name: row[name] for name in _OF_FILE})


def of_plans() -> ColumnElement[bool]:
    """Whether a plan is one of those whose ids are given as `ids`, see `rows_given`."""
    return rows_given((plans.c.id,), "ids")


_STANDS = select(plans.c.id, plans.c.state, plans.c.slice, plans.c.resolved)
_LOCKED = _STANDS.where(of_plans()).order_by(plans.c.id).with_for_update()


def lock_plans(
    connection: Connection, wanted: Collection[Plan], states: Collection[str]
) -> dict[int, Row[int, str, int, str | None]]:
    """Where plans stand now (id, state, slice, resolved), by id, their rows locked.

    Raises PositionMoved unless each is in one of some states, at the slice it is given.
    """
    ids = [plan.plan_id for plan in wanted]
    rows = {row.id: row for row in connection.execute(_LOCKED, {"ids": ids}).all()}
    wrong = [
        (plan.sync_id, plan.export)
        for plan in wanted
        if plan.plan_id not in rows
        or rows[plan.plan_id].state not in states
        or rows[plan.plan_id].slice != plan.slice
    ]
    if wrong:
        raise PositionMoved(
            f"The plan is not {' or '.join(sorted(states))} any more, or is at another slice, for "
            f"{name_pairs(wrong)}.",
            "Read the state again: the next run does.",
        )
    return rows


_INSERTED = insert(plans).returning(plans.c.id, plans.c.sync_id, plans.c.export)


def insert_plans(connection: Connection, drafts: Sequence[PlanDraft], now: datetime) -> list[Plan]:
    """Store new plans, as they are numbered then."""
    rows = [plan_row(draft, now) for draft in drafts]
    numbered = connection.execute(_INSERTED, rows).all() if rows else ()
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
    if rows:
        connection.execute(insert(files), rows)


_OF_PLANS = update(plans).where(of_plans())


def set_plans(connection: Connection, plan_ids: Collection[int], **values: Any) -> None:
    """Give columns of some plans other values."""
    if plan_ids:
        connection.execute(_OF_PLANS.values(**values), {"ids": plan_ids})
