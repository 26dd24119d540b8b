"""Sealing: the files of plans go on record before the first of them is put."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update

from cio_pipeline.contracts.message_envelope import OVERWRITING
from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.numbers import use_numbers
from cio_pipeline.ledger.opening import lock_plans, require_state
from cio_pipeline.ledger.plan_rows import file_row, is_under_way
from cio_pipeline.ledger.quarantine import hold_back
from cio_pipeline.ledger.schema import UNFINISHED, files, plans
from cio_pipeline.model.errors import DigestMismatch, LedgerError
from cio_pipeline.model.plans import PlanState, SealedPlan
from cio_pipeline.model.registry import Lease


def seal(connection: Connection, lease: Lease, sealed: Sequence[SealedPlan], now: datetime) -> None:
    """Record the files of plans; see SqlPlans.seal."""
    wanted = [one.plan for one in sealed]
    hold(connection, lease, [(plan.sync_id, plan.export) for plan in wanted])
    rows = lock_plans(connection, [plan.plan_id for plan in wanted])
    require_state(rows, wanted, UNFINISHED)
    fresh = [one for one in sealed if rows[one.plan.plan_id]["state"] == PlanState.OPEN]
    again = [one for one in sealed if rows[one.plan.plan_id]["state"] == PlanState.SEALED]
    _require_same(connection, again)
    _require_own_keys(connection, fresh)
    use_numbers(connection, fresh)
    _insert_files(connection, fresh)
    hold_back(connection, fresh)
    _mark(connection, fresh, now)


def _require_same(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Raise DigestMismatch unless sealed plans bring the files that they were sealed with."""
    stored: dict[int, dict[tuple[str, int], str]] = {one.plan.plan_id: {} for one in sealed}
    for chunk in chunks(stored):
        query = (
            select(files.c.plan_id, files.c.key, files.c.sequence, files.c.sha256)
            .join(plans, plans.c.id == files.c.plan_id)
            .where(files.c.plan_id.in_(chunk), is_under_way())
        )
        for plan_id, key, sequence, sha256 in connection.execute(query):
            stored[plan_id][key, sequence] = sha256
    for one in sealed:
        before = stored[one.plan.plan_id]
        now = {(file.key, file.sequence): file.sha256 for file in one.files}
        different = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        if different:
            raise DigestMismatch(
                f"'{one.plan.export}' of sync '{one.plan.sync_id}' was sealed with other bytes "
                f"of {different[0][0]}.",
                "Run with the versions of Polars and cio-pipeline that sealed it, or abandon the "
                "plan.",
            )


def _require_own_keys(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    keys = [
        (one.plan.sync_id, file.key)
        for one in sealed
        if one.plan.export not in OVERWRITING
        for file in one.files
    ]
    taken = {key for key, times in Counter(keys).items() if times > 1}
    for chunk in chunks(keys):
        query = select(files.c.sync_id, files.c.key).where(
            tuple_(files.c.sync_id, files.c.key).in_(chunk)
        )
        taken.update((sync_id, key) for sync_id, key in connection.execute(query))
    if taken:
        sync_id, key = min(taken)
        raise LedgerError(
            f"The key {key} of sync '{sync_id}' is planned twice.",
            "Give each export of the sync a stem of its own.",
        )


def _insert_files(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    rows = [
        file_row(one.plan, number, file)
        for one in sealed
        for number, file in enumerate(one.files, start=sum(one.plan.sent.files.values()))
    ]
    for chunk in chunks(rows):
        connection.execute(insert(files), chunk)


def _mark(connection: Connection, sealed: Collection[SealedPlan], now: datetime) -> None:
    for chunk in chunks(one.plan.plan_id for one in sealed):
        connection.execute(
            update(plans)
            .where(plans.c.id.in_(chunk))
            .values(state=PlanState.SEALED.value, sealed_at=now)
        )
    resolving = [
        {"of": one.plan.plan_id, "identities": json.dumps(one.resolved)}
        for one in sealed
        if one.resolved
    ]
    for chunk in chunks(resolving):
        connection.execute(
            update(plans)
            .where(plans.c.id == bindparam("of"))
            .values(resolved=bindparam("identities")),
            chunk,
        )
