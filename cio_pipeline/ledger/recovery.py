"""Bringing the ledger up to what the buckets tell, after it was lost or an old backup came back."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from cio_pipeline.ledger.cuts import cuts_at, keep_cuts
from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.plan_rows import (
    FILES,
    PLANS,
    cuts_of,
    file_of,
    file_row,
    plan_of,
    plan_row,
)
from cio_pipeline.ledger.positions import move
from cio_pipeline.ledger.quarantine import read_again, resolve
from cio_pipeline.ledger.registry import begin, register
from cio_pipeline.ledger.rewrites import keep_told
from cio_pipeline.ledger.schema import (
    IS_UNFINISHED,
    errors,
    files,
    manifests,
    plans,
    positions,
    rewrites,
    sequences,
    syncs,
    voids,
)
from cio_pipeline.ledger.statements import chunks, insert_missing, insert_rows, upsert
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.manifests import VoidSequence, digest
from cio_pipeline.model.plans import (
    Mode,
    Plan,
    PlanDraft,
    PlanState,
    SealedFile,
    SealedPlan,
    Series,
)
from cio_pipeline.model.recovery import CommittedPlan, Recovered, Registration, UnderWay
from cio_pipeline.model.registry import Lease

_NOBODY = -1


@dataclass(frozen=True)
class Recovery:
    """Reading and writing the ledger's past; no run needs it."""

    database: Database

    @reading
    def committed(
        self, connection: Connection, sync_ids: Collection[str]
    ) -> Sequence[CommittedPlan]:
        """Plans with files that were committed for some syncs, in the order of their manifests.

        Of a plan that is under way, the files of the slices that were committed. Files that were
        purged or lie where the sync's files went before are left out.
        """
        found: list[CommittedPlan] = []
        for chunk in chunks(sorted(set(sync_ids))):
            found += _of_syncs(connection, chunk)
        return found

    @writing
    def rebuild(
        self,
        connection: Connection,
        syncs: Sequence[Registration],
        found: Sequence[Recovered],
        now: datetime,
    ) -> None:
        """Fill an empty ledger, in one transaction; LedgerError if it is not empty."""
        _require_empty(connection)
        for one in syncs:
            register(connection, one.sync, one.switches, one.created_at)
        for one in found:
            _take_in(connection, one, now)

    @writing
    def take_in(
        self, connection: Connection, lease: Lease, found: Recovered, now: datetime
    ) -> None:
        """Bring a registered sync up to its bucket, in one transaction.

        What the ledger holds of its deliveries since the chains part is forgotten. Raises
        LeaseLost; LedgerError if the bucket holds another manifest than this ledger put there.
        """
        hold(connection, lease, lease.tokens)
        _take_in(connection, found, now)

    @writing
    def lose(
        self, connection: Connection, lease: Lease, sync_id: str, lost: Sequence[VoidSequence]
    ) -> None:
        """Declare numbers void, each series' in order; those that files get come after them."""
        hold(connection, lease, lease.tokens)
        insert_missing(connection, voids, [_void_row(sync_id, one, None) for one in lost])
        _move_numbers(connection, sync_id, {(v.export, v.series): v.sequence + 1 for v in lost})


def _require_empty(connection: Connection) -> None:
    if connection.scalar(select(func.count()).select_from(syncs)):
        raise LedgerError(
            "The ledger is not empty: syncs are registered in it.",
            "If it is an old backup, run `cio-pipeline ledger catch-up`. To rebuild it from "
            "nothing, move its file away first.",
        )


def _take_in(connection: Connection, found: Recovered, now: datetime) -> None:
    if found.since is not None:
        _forget(connection, found, found.since, now)
    keep_cuts(connection, _cuts(found))
    for one in found.plans:
        listed = [(one.ordinal, file) for file in one.files]
        done = {
            "state": PlanState.COMMITTED,
            "slice": one.draft.slices,
            "sealed_at": one.listed_at,
            "closed_at": one.listed_at,
        }
        _insert_plan(connection, one.draft, listed, one.listed_at, done)
    for one in found.under_way:
        _insert_plan(connection, one.draft, one.files, now, {"slice": one.done})
    _insert_manifests(connection, found, now)
    for ordinal, each in found.superseded:
        keep_told(connection, found.sync_id, each, ordinal, now)
    _declare_void(connection, found)
    _move_numbers(connection, found.sync_id, found.next)
    _correct(connection, found)
    ends = {(found.sync_id, export): cut.at for export, cut in found.positions.items()}
    move(connection, ends, {found.sync_id: found.generation}, now)
    for export, identities in found.sent.items():
        resolve(connection, _NOBODY, (found.sync_id, export), identities, "superseded")


def _forget(connection: Connection, found: Recovered, since: int, now: datetime) -> None:
    """Forget a sync's deliveries from a manifest on, and whatever is unfinished.

    Plans under way are forgotten from their beginning: the chain tells all of them.
    """
    _require_unput(connection, found.sync_id, since)
    its, unlisted = files.c.sync_id == found.sync_id, files.c.manifest_ordinal.is_(None)
    later = files.c.manifest_ordinal >= since
    parted = plans.c.id.in_(select(files.c.plan_id).where(its, later))
    of_sync = plans.c.sync_id == found.sync_id
    forgotten = connection.execute(select(plans).where(of_sync, or_(IS_UNFINISHED, parted)))
    read_again(connection, [row["id"] for row in forgotten.mappings() if _is_ahead(row, found)])
    going_on = [
        _are_of(one, of_sync & (plans.c.generation == found.generation)) for one in found.under_way
    ]
    connection.execute(delete(files).where(its, or_(unlisted, later, *going_on)))
    empty = ~exists().where(files.c.plan_id == plans.c.id)
    connection.execute(
        update(plans)
        .where(of_sync, or_(IS_UNFINISHED, empty))
        .values(state=PlanState.ABANDONED, closed_at=now)
    )
    for column in (manifests.c.ordinal, voids.c.manifest_ordinal):
        gone = column.table.c.sync_id == found.sync_id, or_(column >= since, column.is_(None))
        connection.execute(delete(column.table).where(*gone))
    told = rewrites.c.sync_id == found.sync_id, rewrites.c.manifest_ordinal >= since
    connection.execute(delete(rewrites).where(*told))
    for table in (positions, sequences, errors):
        connection.execute(delete(table).where(table.c.sync_id == found.sync_id))


def _are_of(one: UnderWay, of_sync: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether files are of a plan under way, and not of one of the same cut that is finished."""
    draft, first = one.draft, min(ordinal for ordinal, _ in one.files)
    alike = (
        plans.c.export == draft.export,
        plans.c.mode == draft.mode,
        plans.c.upper_at == draft.upper.at,
    )
    its = files.c.plan_id.in_(select(plans.c.id).where(of_sync, *alike))
    return its & (files.c.manifest_ordinal >= first)


def _require_unput(connection: Connection, sync_id: str, since: int) -> None:
    stored = manifests.c.sync_id == sync_id, manifests.c.ordinal >= since
    put = connection.scalar(
        select(func.min(manifests.c.ordinal)).where(*stored, manifests.c.put_at.is_not(None))
    )
    if put is not None:
        raise LedgerError(
            f"Manifest {put} of sync '{sync_id}' was put by this ledger, and its bucket holds "
            "another one.",
            "Move the ledger away and rebuild it: `cio-pipeline ledger rebuild --syncs FILE`.",
        )


def _is_ahead(plan: RowMapping, found: Recovered) -> bool:
    """Whether the bucket has not come to where a plan was to lead: its rows are read again."""
    position = found.positions.get(plan["export"])
    behind = position is None or position.at < plan["upper_at"]
    return behind and plan["mode"] not in {Mode.RETRY, Mode.REPLAY}


def _cuts(found: Recovered) -> list[Cut]:
    drafts = [one.draft for one in (*found.plans, *found.under_way)]
    wanted = [cut for draft in drafts for cut in (draft.lower, draft.upper) if cut]
    return [*wanted, *found.positions.values()]


def _insert_plan(
    connection: Connection,
    draft: PlanDraft,
    listed: Iterable[tuple[int, SealedFile]],
    at: datetime,
    come_to: dict[str, Any],
) -> None:
    """Store a plan that manifests tell of, with its files, each with the number of its manifest."""
    row = plan_row(draft, at) | come_to
    plan_id = connection.execute(insert(plans).values(**row).returning(plans.c.id)).scalar_one()
    plan = Plan(**vars(draft), plan_id=plan_id, state=PlanState.OPEN)
    rows = [
        file_row(plan, number, file) | {"manifest_ordinal": ordinal}
        for number, (ordinal, file) in enumerate(listed)
    ]
    insert_rows(connection, files, rows)


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
    insert_rows(connection, manifests, rows)


def _declare_void(connection: Connection, found: Recovered) -> None:
    """Voids of the manifests taken in, then numbers that no manifest accounts for."""
    listed = [_void_row(found.sync_id, void, ordinal) for ordinal, void in found.void]
    lost = [_void_row(found.sync_id, void, None) for void in found.lost]
    insert_missing(connection, voids, [*listed, *lost])


def _void_row(sync_id: str, void: VoidSequence, ordinal: int | None) -> Mapping[str, Any]:
    return {"sync_id": sync_id, **vars(void), "manifest_ordinal": ordinal}


def _move_numbers(
    connection: Connection, sync_id: str, to: Mapping[tuple[str, Series], int]
) -> None:
    rows = [
        {"sync_id": sync_id, "export": export, "series": series, "next": number}
        for (export, series), number in to.items()
    ]
    if rows:
        upsert(connection, sequences, rows, only_if_grows="next")


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
    begin(connection, found.created_at)
    younger = this, c.generation == found.generation, c.created_at > found.created_at
    connection.execute(update(syncs).where(*younger).values(created_at=found.created_at))


def _of_syncs(connection: Connection, sync_ids: Sequence[str]) -> list[CommittedPlan]:
    of_plan = _files(connection, sync_ids)
    query = PLANS.where(plans.c.sync_id.in_(sync_ids))
    by_id = {row.id: row for row in connection.execute(query)}
    rows = [by_id[plan_id] for plan_id in of_plan]
    times = set(chain.from_iterable(map(cuts_of, rows))) - {None}
    by_time = cuts_at(connection, times)
    return [
        CommittedPlan(
            SealedPlan(
                plan_of(row, by_time),
                tuple(of_plan[row.id]),
                resolved=tuple(json.loads(row.resolved or "[]")),
            ),
            row.closed_at or row.opened_at,
        )
        for row in rows
    ]


def _files(connection: Connection, sync_ids: Sequence[str]) -> dict[int, list[SealedFile]]:
    found: dict[int, list[SealedFile]] = {}
    ordinal = files.c.manifest_ordinal
    query = (
        FILES.join(syncs, syncs.c.id == files.c.sync_id)
        .where(files.c.sync_id.in_(sync_ids), ordinal >= syncs.c.first_manifest)
        .order_by(ordinal, files.c.plan_id, files.c.number)
    )
    for row in connection.execute(query):
        found.setdefault(row.plan_id, []).append(file_of(row))
    return found
