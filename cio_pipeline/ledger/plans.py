"""What is being sent: plan → seal → deliver → commit, each step one transaction (D6, D10)."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Connection, bindparam, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from cio_pipeline.ledger.chain import Listed, list_next, to_list
from cio_pipeline.ledger.cuts import keep_cuts
from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.given import name_pairs
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.plan_rows import (
    FILES,
    PLANS,
    file_of,
    ids_of,
    insert_files,
    insert_plans,
    lock_plans,
    of_plans,
    plans_in,
    set_plans,
)
from cio_pipeline.ledger.positions import (
    declare_void,
    free_numbers,
    free_syncs,
    move,
    require_finished,
    require_fresh,
    require_lower,
    require_own_keys,
    require_same,
    step,
    use_numbers,
)
from cio_pipeline.ledger.quarantine import hold_back, read_again, resolve
from cio_pipeline.ledger.schema import IS_COMMITTED, IS_UNFINISHED, UNFINISHED, counters, files
from cio_pipeline.ledger.schema import plans as plans_table
from cio_pipeline.ledger.sent import keep_volumes
from cio_pipeline.ledger.statements import chunks
from cio_pipeline.ledger.states import generations, plans_of
from cio_pipeline.ledger.troubles import end_errors
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.plans import Mode, Plan, PlanDraft, PlanState, SealedFile, SealedPlan
from cio_pipeline.model.registry import Lease, Pair
from cio_pipeline.model.windows import Window


def store_plans(
    connection: Connection, drafts: Sequence[PlanDraft], now: datetime
) -> Sequence[Plan]:
    """Number and store plans of pairs that are held; raises PositionMoved, see `Plans.open`."""
    pairs = [(draft.sync_id, draft.export) for draft in drafts]
    require_fresh(connection, drafts, pairs)
    keep_cuts(connection, [cut for d in drafts for cut in (d.lower, d.upper, d.until) if cut])
    try:
        return insert_plans(connection, drafts, now)
    except IntegrityError as error:
        raise PositionMoved(
            f"A pair has two plans at a time, one of {name_pairs(pairs)}.",
            "Resume the open one.",
        ) from error


@dataclass(frozen=True)
class Plans:
    """What is being sent. A call is stored whole or not at all."""

    database: Database

    @writing
    def open(
        self, connection: Connection, lease: Lease, drafts: Sequence[PlanDraft], now: datetime
    ) -> Sequence[Plan]:
        """Number and store plans.

        Raises LeaseLost; PositionMoved if a plan is unfinished, or if position, generation or
        sequences are no longer those of the draft.
        """
        hold(connection, lease, [(draft.sync_id, draft.export) for draft in drafts])
        return store_plans(connection, drafts, now)

    @writing
    def seal(
        self, connection: Connection, lease: Lease, sealed: Sequence[SealedPlan], now: datetime
    ) -> None:
        """Record the files of plans before the first put, and their quarantined rows.

        Sealing a sealed plan again must bring the same keys and digests: DigestMismatch. Raises
        LeaseLost, PositionMoved if a plan is closed, LedgerError if a key is another plan's or a
        number is not the next one.
        """
        wanted = [one.plan for one in sealed]
        hold(connection, lease, [(plan.sync_id, plan.export) for plan in wanted])
        stand = lock_plans(connection, wanted, [PlanState.OPEN, PlanState.SEALED])
        again = plans_in(connection, wanted, PlanState.SEALED) if stand[PlanState.SEALED] else ()
        fresh = [one for one in sealed if one.plan.plan_id not in again]
        if again:
            require_same(connection, [one for one in sealed if one.plan.plan_id in again])
        require_own_keys(connection, fresh)
        use_numbers(connection, fresh)
        insert_files(connection, fresh)
        held_back = [one for one in fresh if one.quarantined]
        if held_back:
            hold_back(connection, held_back)
        ids = [one.plan.plan_id for one in fresh]
        set_plans(connection, ids, state=PlanState.SEALED, sealed_at=now)
        resolving = [
            {"of": one.plan.plan_id, "identities": json.dumps(one.resolved)}
            for one in fresh
            if one.resolved
        ]
        if resolving:
            connection.execute(_RESOLVING, resolving)

    @writing
    def unseal(self, connection: Connection, lease: Lease, plan: Plan, anew: Plan) -> None:
        """Open a sealed plan again as `anew`, another release's; its slice's numbers are free.

        Only where nothing of the slice was put, since its files are forgotten. Raises LeaseLost,
        and PositionMoved if the plan is not sealed any more.
        """
        hold(connection, lease, [(plan.sync_id, plan.export)])
        lock_plans(connection, [plan], [PlanState.SEALED])
        free_numbers(connection, plan)
        if plan.slice == 0:
            read_again(connection, [plan.plan_id])
        of_release = {"producer": anew.producer, "fingerprint": anew.fingerprint}
        opened = {"state": PlanState.OPEN, "sealed_at": None, "resolved": None}
        set_plans(connection, [plan.plan_id], **opened, **of_release)

    @reading
    def sealed(
        self, connection: Connection, plans: Collection[Plan]
    ) -> Mapping[int, tuple[SealedFile, ...]]:
        """The files of plans: of committed ones all, else those of the slice under way."""
        found: dict[int, list[SealedFile]] = {}
        c = plans_table.c
        is_done = c.state == PlanState.COMMITTED
        with_files = (PlanState.SEALED, PlanState.DELIVERED, PlanState.COMMITTED)
        for chunk in chunks(sorted({plan.plan_id for plan in plans})):
            known = select(c.id).where(c.id.in_(chunk), c.state.in_(with_files))
            found.update({plan_id: [] for plan_id in connection.scalars(known)})
            its = files.c.plan_id.in_(chunk), or_(is_done, ~IS_COMMITTED)
            rows = FILES.join(plans_table, c.id == files.c.plan_id).where(*its)
            for row in connection.execute(rows.order_by(files.c.number)).all():
                if row.plan_id in found:
                    found[row.plan_id].append(file_of(row))
        return {plan_id: tuple(of_plan) for plan_id, of_plan in found.items()}

    @reading
    def overwrites(self, connection: Connection, plan: Plan) -> int:
        """How many files of a plan's slice have the key of an earlier file of the sync (M3).

        The slice is not committed yet.
        """
        earlier, of = files.alias(), plans_table.alias()
        before = (
            select(earlier.c.plan_id)
            .join(of, of.c.id == earlier.c.plan_id)
            .where(
                earlier.c.sync_id == files.c.sync_id,
                earlier.c.key == files.c.key,
                earlier.c.sequence < files.c.sequence,
                of.c.state != PlanState.ABANDONED,
            )
        )
        its = files.c.plan_id == plan.plan_id, ~IS_COMMITTED
        query = select(func.count()).select_from(files).where(*its, before.exists())
        return connection.scalar(query) or 0

    @writing
    def deliver(self, connection: Connection, lease: Lease, plans: Sequence[Plan]) -> None:
        """Keep that all files of sealed plans lie in their buckets; raises as `commit` does."""
        hold(connection, lease, [(plan.sync_id, plan.export) for plan in plans])
        lock_plans(connection, plans, [PlanState.SEALED, PlanState.DELIVERED])
        set_plans(connection, ids_of(plans), state=PlanState.DELIVERED)

    @writing
    def withdraw(self, connection: Connection, lease: Lease, plan: Plan) -> None:
        """Make a delivered plan a sealed one, before any of its files is removed.

        Raises LeaseLost, and PositionMoved if the plan is not delivered any more.
        """
        hold(connection, lease, [(plan.sync_id, plan.export)])
        lock_plans(connection, [plan], [PlanState.DELIVERED])
        set_plans(connection, [plan.plan_id], state=PlanState.SEALED)

    @reading
    def delivered(self, connection: Connection) -> Sequence[Plan]:
        """The plans whose files lie in their buckets, and that wait to be committed."""
        # Sorted here: for an order of its own, SQLite would walk through all plans there ever were.
        rows = sorted(connection.execute(_DELIVERED).all(), key=itemgetter(0))
        return plans_of(connection, rows)[0]

    def commit(
        self,
        lease: Lease,
        plans: Sequence[Plan],
        window: Window,
        now: datetime,
        *,
        listing: Collection[str] = (),
    ) -> Mapping[str, int]:
        """Store the next manifest of each sync, and move the positions of its delivered plans.

        A plan that has more slices goes on to the next, open again; its position stays. Of the
        syncs in `listing`, too, numbers are listed that became void. A sync without any file or
        such number gets no manifest; how many files the others' list is returned. One transaction:
        raises LeaseLost or PositionMoved, and then nothing of the call is stored.
        """
        # Rendered before, so that nobody waits meanwhile: under the lease, these files stay.
        ids = [plan.plan_id for plan in plans]
        listed = self.database.read(lambda connection: to_list(connection, ids))
        return self._commit(lease, plans, window, now, listed=listed, listing=listing)

    @writing
    def _commit(
        self,
        connection: Connection,
        lease: Lease,
        plans: Sequence[Plan],
        window: Window,
        now: datetime,
        *,
        listed: Mapping[str, Listed],
        listing: Collection[str],
    ) -> Mapping[str, int]:
        if plans:
            _close_slices(connection, lease, plans, now)
        syncs = {*listing, *(plan.sync_id for plan in plans)}
        return list_next(connection, syncs, listed, window, now)

    @writing
    def advance(
        self, connection: Connection, lease: Lease, pairs: Collection[Pair], to: Cut, now: datetime
    ) -> None:
        """Move positions where there is nothing to send; never backwards, in bulk.

        A pair without a position gets one. Raises LeaseLost, and PositionMoved if a pair has an
        unfinished plan.
        """
        hold(connection, lease, pairs)
        require_finished(connection, pairs)
        keep_cuts(connection, [to])
        ends = dict.fromkeys(pairs, to.at)
        move(connection, ends, generations(connection, {sync_id for sync_id, _ in pairs}), now)
        end_errors(connection, ends)

    @writing
    def advance_unheld(
        self, connection: Connection, stands: Mapping[Pair, datetime], to: Cut, now: datetime
    ) -> Collection[Pair]:
        """The same without a lease, for pairs that nobody holds; the pairs that were moved.

        A pair is left alone if it does not stand where it is said to, has an unfinished plan, or
        is held by a lease that has not expired.
        """
        # Locking the leases' rows keeps others from claiming the pairs meanwhile. A run that
        # claimed a pair before, and let its lease expire, is stopped when it opens a plan: the
        # position is not the plan's lower bound any more.
        keep_cuts(connection, [to])
        alike: dict[tuple[str, datetime], list[str]] = defaultdict(list)
        for (sync_id, export), at in sorted(stands.items()):
            if at < to.at:
                alike[export, at].append(sync_id)
        moved: list[Pair] = []
        for (export, at), sync_ids in alike.items():
            free = free_syncs(connection, export, sync_ids, now)
            ids = step(connection, export, free, at, to=to.at, now=now)
            moved += [(sync_id, export) for sync_id in ids]
        end_errors(connection, dict.fromkeys(moved, to.at))
        return moved

    @writing
    def abandon(
        self, connection: Connection, lease: Lease, plan: Plan, *, void: bool, now: datetime
    ) -> None:
        """Close a plan without delivering it; `void` records its sealed numbers as void.

        A sealed plan's numbers are used, so it can only be abandoned with `void` (D5):
        LedgerError otherwise. Raises LeaseLost, and PositionMoved if the plan is closed already.
        """
        hold(connection, lease, [(plan.sync_id, plan.export)])
        stand = lock_plans(connection, [plan], UNFINISHED)
        if not stand[PlanState.OPEN]:
            declare_void(connection, plan, void=void)
        if plan.mode is not Mode.RETRY:
            read_again(connection, [plan.plan_id])
        set_plans(connection, [plan.plan_id], state=PlanState.ABANDONED, closed_at=now)


_DELIVERED = PLANS.where(IS_UNFINISHED, plans_table.c.state == PlanState.DELIVERED)
_RESOLVED = select(plans_table.c.id, plans_table.c.resolved).where(
    of_plans(), plans_table.c.resolved.is_not(None)
)
_RESOLVING = (
    update(plans_table)
    .where(plans_table.c.id == bindparam("of"))
    .values(resolved=bindparam("identities"))
)


def _close_slices(
    connection: Connection, lease: Lease, delivered: Sequence[Plan], now: datetime
) -> None:
    """Move positions and close plans; one that has more slices goes on to the next."""
    hold(connection, lease, [(plan.sync_id, plan.export) for plan in delivered])
    lock_plans(connection, delivered, [PlanState.DELIVERED])
    ids = ids_of(delivered)
    of = generations(connection, {plan.sync_id for plan in delivered})
    require_lower(connection, delivered, of)
    keep_volumes(connection, ids)
    done = {plan.plan_id: plan for plan in delivered if plan.last_slice}
    # What is sent again was sent before.
    moving = [plan for plan in done.values() if plan.mode is not Mode.REPLAY]
    ends = {(plan.sync_id, plan.export): plan.upper.at for plan in moving}
    move(connection, ends, of, now)
    end_errors(connection, ends)
    by_id = {plan.plan_id: plan for plan in delivered}
    for plan_id, resolved in connection.execute(_RESOLVED, {"ids": ids}).all():
        plan = by_id[plan_id]
        state = "sent" if plan.mode is Mode.RETRY else "superseded"
        resolve(connection, plan_id, (plan.sync_id, plan.export), json.loads(resolved), state)
    # How far a ledger has come tells it from an older one.
    counted = update(counters).where(counters.c.name == "commit")
    connection.execute(counted.values(value=counters.c.value + 1))
    onwards = plans_table.c.slice + 1
    again = {"state": PlanState.OPEN, "sealed_at": None, "resolved": None}
    set_plans(connection, ids - done.keys(), slice=onwards, **again)
    set_plans(connection, done, slice=onwards, state=PlanState.COMMITTED, closed_at=now)
