"""Sealing: the files of plans go on record before the first of them is put."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.given import as_given, ids_given, of_plans, rows_given
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.numbers import use_numbers
from cio_pipeline.ledger.opening import lock_plans, require_state
from cio_pipeline.ledger.plan_rows import file_row, is_committed
from cio_pipeline.ledger.quarantine import hold_back
from cio_pipeline.ledger.schema import files, plans
from cio_pipeline.model.errors import DigestMismatch, LedgerError
from cio_pipeline.model.plans import PlanState, SealedPlan
from cio_pipeline.model.registry import Lease


def seal(connection: Connection, lease: Lease, sealed: Sequence[SealedPlan], now: datetime) -> None:
    """Record the files of plans; see Plans.seal."""
    wanted = [one.plan for one in sealed]
    hold(connection, lease, [(plan.sync_id, plan.export) for plan in wanted])
    rows = lock_plans(connection, [plan.plan_id for plan in wanted])
    require_state(rows, wanted, [PlanState.OPEN, PlanState.SEALED])
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
    if stored:
        rows = connection.execute(_DIGESTS, {"ids": ids_given(stored)})
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
                "Run with the versions of Polars and cio-pipeline that sealed it, or abandon the "
                "plan.",
            )


_DIGESTS = select(files.c.plan_id, files.c.key, files.c.sequence, files.c.sha256).where(
    rows_given((files.c.plan_id,), "ids"), ~is_committed()
)


def _require_own_keys(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    keys = [
        (one.plan.sync_id, file.key)
        for one in sealed
        if not facts_of(one.plan.export).overwrites
        for file in one.files
    ]
    taken = {key for key, times in Counter(keys).items() if times > 1}
    known = connection.execute(_KNOWN_KEYS, {"keys": as_given(keys)})
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


def _insert_files(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    rows = [
        file_row(one.plan, number, file)
        for one in sealed
        for number, file in enumerate(one.files, start=sum(one.plan.sent.files.values()))
    ]
    for chunk in chunks(rows):
        connection.execute(insert(files), chunk)


_SEALED = update(plans).where(of_plans()).values(state=PlanState.SEALED.value)


def _mark(connection: Connection, sealed: Collection[SealedPlan], now: datetime) -> None:
    if sealed:
        ids = ids_given(one.plan.plan_id for one in sealed)
        connection.execute(_SEALED.values(sealed_at=now), {"ids": ids})
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
