"""Rows that were held back: identities and reasons, never values."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, case, select, text, update

from cio_pipeline.ledger.bulk import CHUNK, chunks, insert_into
from cio_pipeline.ledger.schema import quarantine
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.plans import QuarantinedRow, QuarantineEntry, SealedPlan
from cio_pipeline.model.registry import Pair


@dataclass(frozen=True)
class Quarantine:
    """What was held back."""

    database: Database

    def entries(
        self, sync_ids: Collection[str] | None = None, state: str | None = "open"
    ) -> Sequence[QuarantineEntry]:
        """Entries by sync, export and identity; of all syncs and states for None."""
        given: dict[str, Any] = {} if state is None else {"of_state": state}
        if sync_ids is not None and len(sync_ids) <= CHUNK:
            given["sync_ids"] = list(sync_ids)
        query = _entries(few="sync_ids" in given, of_state=state is not None)
        rows = self.database.read(
            lambda connection: connection.execute(query, given).mappings().all()
        )
        found = [_entry(row) for row in rows if sync_ids is None or row["sync_id"] in sync_ids]
        return sorted(found, key=lambda e: (e.sync_id, e.export, e.identity, e.reason, e.entry_id))


@lru_cache
def _entries(*, few: bool, of_state: bool) -> Select[Any]:
    query = select(quarantine)
    if of_state:
        query = query.where(quarantine.c.state == bindparam("of_state"))
    if few:
        query = query.where(quarantine.c.sync_id.in_(bindparam("sync_ids", expanding=True)))
    return query


def hold_back(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Store the quarantined rows of plans.

    An open entry of the same identity and reason is brought up to date (count, window): it still
    is the same row of the source. One that an earlier slice of the plan made is added to.
    """
    rows = [_row(one, row) for one in sealed for row in one.quarantined]
    if not rows:
        return
    statement = insert_into(connection.dialect.name, quarantine)
    new = statement.excluded
    more = quarantine.c.count + new.count
    count = case((quarantine.c.plan_id == new.plan_id, more), else_=new.count)
    upserted = statement.on_conflict_do_update(
        index_elements=[quarantine.c.sync_id, quarantine.c.export, quarantine.c.digest],
        index_where=text("state = 'open'"),
        set_={
            "workspace_id": new.workspace_id,
            "count": count,
            "window_end": new.window_end,
            "plan_id": new.plan_id,
        },
    )
    for chunk in chunks(rows):
        connection.execute(upserted, chunk)


def resolve(
    connection: Connection, plan_id: int, pair: Pair, identities: Sequence[str], state: str
) -> None:
    """Close the open entries of identities that a plan delivered, but those it made itself."""
    for chunk in chunks(sorted(set(identities))):
        connection.execute(
            update(quarantine)
            .where(
                quarantine.c.sync_id == pair[0],
                quarantine.c.export == pair[1],
                quarantine.c.state == "open",
                quarantine.c.plan_id != plan_id,
                quarantine.c.identity.in_(chunk),
            )
            .values(state=state)
        )


def read_again(connection: Connection, plan_ids: Collection[int]) -> None:
    """Close the open entries that plans made which are given up: the next plan finds them anew.

    At the position, which such a plan did not move, a row may still be as it was sent.
    """
    for chunk in chunks(sorted(plan_ids)):
        connection.execute(
            update(quarantine)
            .where(quarantine.c.plan_id.in_(chunk), quarantine.c.state == "open")
            .values(state="superseded")
        )


def _entry(row: RowMapping) -> QuarantineEntry:
    return QuarantineEntry(
        entry_id=row["id"],
        sync_id=row["sync_id"],
        export=row["export"],
        workspace_id=row["workspace_id"],
        identity=row["identity"],
        reason=row["reason"],
        count=row["count"],
        window_end=row["window_end"],
        state=row["state"],
    )


def _row(sealed: SealedPlan, row: QuarantinedRow) -> dict[str, Any]:
    told_apart = json.dumps([row.identity, row.reason])
    return {
        "sync_id": sealed.plan.sync_id,
        "export": sealed.plan.export,
        "workspace_id": row.workspace_id,
        "identity": row.identity,
        "reason": row.reason,
        "digest": hashlib.sha256(told_apart.encode()).hexdigest(),
        "count": row.count,
        "window_end": sealed.plan.upper.at,
        "plan_id": sealed.plan.plan_id,
        "state": "open",
    }
