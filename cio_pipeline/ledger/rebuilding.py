"""Bringing the ledger up to what the buckets tell, after it was lost or an old backup came back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from cio_pipeline.ledger.bulk import chunks, insert_missing, upsert
from cio_pipeline.ledger.committed import committed_plans
from cio_pipeline.ledger.cuts import keep_cuts
from cio_pipeline.ledger.giving_way import abandon_unfinished, drop_unput
from cio_pipeline.ledger.known_files import not_known
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.plan_rows import file_row, opened, plan_row
from cio_pipeline.ledger.positions import move
from cio_pipeline.ledger.quarantine import resolve
from cio_pipeline.ledger.schema import (
    files,
    manifests,
    plans,
    sequences,
    syncs,
    voids,
)
from cio_pipeline.ledger.slices_under_way import go_on, next_commit
from cio_pipeline.ledger.sync_rows import register
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.manifests import VoidSequence, digest
from cio_pipeline.model.plans import PlanState, Series
from cio_pipeline.model.recovery import CommittedPlan, ListedPlan, Recovered, Registration
from cio_pipeline.model.registry import Lease

_NOBODY = -1


@dataclass(frozen=True)
class Recovery:
    """Reading and writing the ledger's past."""

    database: Database

    def committed(self, sync_ids: Collection[str]) -> Sequence[CommittedPlan]:
        """Plans with files that were committed for some syncs, in order of commit."""
        return self.database.read(lambda connection: committed_plans(connection, sync_ids))

    def rebuild(
        self, syncs: Sequence[Registration], found: Sequence[Recovered], now: datetime
    ) -> None:
        """Fill an empty ledger, in one transaction; LedgerError if it is not empty."""

        def work(connection: Connection) -> None:
            _require_empty(connection)
            for one in syncs:
                register(connection, one.sync, one.switches, one.created_at)
            for one in found:
                _take_in(connection, one, now)

        self.database.write(work)

    def take_in(self, lease: Lease, found: Recovered, now: datetime) -> None:
        """Bring a registered sync up to its bucket, in one transaction.

        Unfinished plans are abandoned, their sealed numbers void, but for those `kept`. Manifests
        that were never put give way to those of the bucket. Raises LeaseLost, and LedgerError if
        the ledger contradicts the bucket.
        """

        def work(connection: Connection) -> None:
            hold(connection, lease, lease.tokens)
            _take_in(connection, found, now)

        self.database.write(work)


def _correct(connection: Connection, found: Recovered) -> None:
    """Generation and age of a sync that may have been registered again just now.

    A generation or a chain that began since the last manifest is not undone.
    """
    this, c = syncs.c.id == found.sync_id, syncs.c
    for column, value in (
        (c.generation, found.generation),
        (c.first_manifest, found.first_manifest),
    ):
        connection.execute(update(syncs).where(this, column < value).values({column: value}))
    younger = this, c.generation == found.generation, c.created_at > found.created_at
    connection.execute(update(syncs).where(*younger).values(created_at=found.created_at))


def _require_empty(connection: Connection) -> None:
    if connection.scalar(select(func.count()).select_from(syncs)):
        raise LedgerError(
            "The ledger is not empty: syncs are registered in it.",
            "If it is an old backup, run `cio-pipeline ledger catch-up`. To rebuild it from "
            "nothing, move its file away first.",
        )


def _take_in(connection: Connection, found: Recovered, now: datetime) -> None:
    drop_unput(connection, found)
    unfinished = abandon_unfinished(connection, found, now)
    keep_cuts(connection, _cuts(found))
    for one in found.plans:
        _insert_plan(connection, one)
    for one in found.under_way:
        go_on(connection, one, now)
    _insert_manifests(connection, found, now)
    _declare_void(connection, found, unfinished)
    _move_numbers(connection, found)
    _correct(connection, found)
    ends = {(found.sync_id, export): cut.at for export, cut in found.positions.items()}
    move(connection, ends, {found.sync_id: found.generation}, now)
    for export, identities in found.sent.items():
        resolve(connection, _NOBODY, (found.sync_id, export), identities, "superseded")


def _cuts(found: Recovered) -> list[Cut]:
    drafts = [one.draft for one in (*found.plans, *found.under_way)]
    wanted = [cut for draft in drafts for cut in (draft.lower, draft.upper) if cut]
    return [*wanted, *found.positions.values()]


def _insert_plan(connection: Connection, listed: ListedPlan) -> None:
    """Store a plan as committed, with those of its files that the ledger does not know yet."""
    pairs = [(listed.ordinal, file) for file in listed.files]
    new = [file for _, file in not_known(connection, listed.draft.sync_id, pairs)]
    if not new:
        return
    row = plan_row(listed.draft, listed.listed_at) | {
        "state": PlanState.COMMITTED.value,
        "sealed_at": listed.listed_at,
        "closed_at": listed.listed_at,
        "commit_number": next_commit(connection),
        "slice": listed.draft.slices,
    }
    plan_id = connection.execute(insert(plans).values(**row).returning(plans.c.id)).scalar_one()
    plan = opened(listed.draft, plan_id)
    rows = [
        file_row(plan, number, file) | {"manifest_ordinal": listed.ordinal}
        for number, file in enumerate(new)
    ]
    for chunk in chunks(rows):
        connection.execute(insert(files), chunk)


def _insert_manifests(connection: Connection, found: Recovered, now: datetime) -> None:
    rows = [
        {
            "sync_id": found.sync_id,
            "ordinal": ordinal,
            "digest": digest(body),
            "body": body,
            "put_at": now,
        }
        for ordinal, body in found.manifests
    ]
    for chunk in chunks(rows):
        connection.execute(insert(manifests), chunk)


def _declare_void(
    connection: Connection, found: Recovered, unfinished: Iterable[tuple[str, str, int]]
) -> None:
    """Voids of the manifests taken in, then numbers that no manifest accounts for."""
    listed = [_void_row(found.sync_id, void, ordinal) for ordinal, void in found.void]
    for chunk in chunks(listed):
        upsert(connection, voids, chunk)
    lost = [_void_row(found.sync_id, void, None) for void in found.lost]
    sealed = [
        _void_row(found.sync_id, VoidSequence(export, Series(series), number), None)
        for export, series, number in sorted(
            set(unfinished) - _delivered(connection, found.sync_id)
        )
    ]
    for chunk in chunks([*lost, *sealed]):
        insert_missing(connection, voids, chunk)


def _void_row(sync_id: str, void: VoidSequence, ordinal: int | None) -> Mapping[str, Any]:
    return {
        "sync_id": sync_id,
        "export": void.export,
        "series": void.series.value,
        "sequence": void.sequence,
        "manifest_ordinal": ordinal,
    }


def _delivered(connection: Connection, sync_id: str) -> set[tuple[str, str, int]]:
    query = (
        select(plans.c.export, files.c.series, files.c.sequence)
        .join(plans, plans.c.id == files.c.plan_id)
        .where(files.c.sync_id == sync_id)
    )
    return {(export, series, sequence) for export, series, sequence in connection.execute(query)}


def _move_numbers(connection: Connection, found: Recovered) -> None:
    rows = [
        {"sync_id": found.sync_id, "export": export, "series": series.value, "next": number}
        for (export, series), number in found.next.items()
    ]
    if rows:
        upsert(connection, sequences, rows, only_if_grows="next")
