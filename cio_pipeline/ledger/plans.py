"""Plan → seal → deliver → commit, each step one transaction.

The steps themselves are in `opening`, `sealing`, `committing` and `positions`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from cio_pipeline.ledger.bulk import chunks, name_pairs
from cio_pipeline.ledger.committing import commit, deliver, withdraw
from cio_pipeline.ledger.cuts import cuts_at
from cio_pipeline.ledger.failures import RowConflict
from cio_pipeline.ledger.opening import abandon, open_plans
from cio_pipeline.ledger.plan_rows import file_of, is_committed, plan_of
from cio_pipeline.ledger.positions import advance, advance_unheld
from cio_pipeline.ledger.schema import files, is_unfinished
from cio_pipeline.ledger.schema import plans as plans_table
from cio_pipeline.ledger.sealing import seal
from cio_pipeline.ledger.states import sent_by
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.plans import Plan, PlanDraft, PlanState, SealedFile, SealedPlan
from cio_pipeline.model.registry import Lease, Pair
from cio_pipeline.model.windows import Window


@dataclass(frozen=True)
class Plans:
    """What is being sent. A call is stored whole or not at all."""

    database: Database

    def open(self, lease: Lease, drafts: Sequence[PlanDraft], now: datetime) -> Sequence[Plan]:
        """Number and store plans.

        Raises LeaseLost; PositionMoved if a plan is unfinished, or if position, generation or
        sequences are no longer those of the draft.
        """
        try:
            return self.database.write(
                lambda connection: open_plans(connection, lease, drafts, now)
            )
        except RowConflict as error:
            pairs = name_pairs((draft.sync_id, draft.export) for draft in drafts)
            raise PositionMoved(
                f"A pair has two plans at a time, one of {pairs}.", "Resume the open one."
            ) from error

    def seal(self, lease: Lease, sealed: Sequence[SealedPlan], now: datetime) -> None:
        """Record the files of plans before the first put, and their quarantined rows.

        Sealing a sealed plan again must bring the same keys and digests: DigestMismatch. Raises
        LeaseLost, PositionMoved if a plan is closed, LedgerError if a key is another plan's or a
        number is not the next one.
        """
        self.database.write(lambda connection: seal(connection, lease, sealed, now))

    def sealed(self, plans: Collection[Plan]) -> Mapping[int, tuple[SealedFile, ...]]:
        """The files of plans: of committed ones all, else those of the slice under way."""
        return self.database.read(
            lambda connection: _sealed(connection, [plan.plan_id for plan in plans])
        )

    def overwrites(self, plan: Plan) -> int:
        """How many files of a plan's slice have the key of an earlier file of the sync (M3).

        The slice is not committed yet.
        """
        return self.database.read(lambda connection: _overwrites(connection, plan))

    def deliver(self, lease: Lease, plans: Sequence[Plan]) -> None:
        """Keep that all files of sealed plans lie in their buckets; raises as `commit` does."""
        self.database.write(lambda connection: deliver(connection, lease, plans))

    def withdraw(self, lease: Lease, plan: Plan) -> None:
        """Make a delivered plan a sealed one, before any of its files is removed.

        Raises LeaseLost, and PositionMoved if the plan is not delivered any more.
        """
        self.database.write(lambda connection: withdraw(connection, lease, plan))

    def delivered(self) -> Sequence[Plan]:
        """The plans whose files lie in their buckets, and that wait to be committed."""
        return self.database.read(_delivered)

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
        return self.database.write(
            lambda connection: commit(connection, lease, plans, window, now, listing=listing)
        )

    def advance(self, lease: Lease, pairs: Collection[Pair], to: Cut, now: datetime) -> None:
        """Move positions where there is nothing to send; never backwards, in bulk.

        A pair without a position gets one. Raises LeaseLost, and PositionMoved if a pair has an
        unfinished plan.
        """
        self.database.write(lambda connection: advance(connection, lease, pairs, to, now))

    def advance_unheld(
        self, stands: Mapping[Pair, datetime], to: Cut, now: datetime
    ) -> Collection[Pair]:
        """The same without a lease, for pairs that nobody holds; the pairs that were moved.

        A pair is left alone if it does not stand where it is said to, has an unfinished plan, or
        is held by a lease that has not expired.
        """
        return self.database.write(lambda connection: advance_unheld(connection, stands, to, now))

    def abandon(self, lease: Lease, plan: Plan, *, void: bool, now: datetime) -> None:
        """Close a plan without delivering it; `void` records its sealed numbers as void.

        A sealed plan's numbers are used, so it can only be abandoned with `void` (D5):
        LedgerError otherwise. Raises LeaseLost, and PositionMoved if the plan is closed already.
        """
        self.database.write(lambda connection: abandon(connection, lease, plan, void=void, now=now))


def _overwrites(connection: Connection, plan: Plan) -> int:
    earlier, of = files.alias(), plans_table.alias()
    before = (
        select(earlier.c.plan_id)
        .join(of, of.c.id == earlier.c.plan_id)
        .where(
            earlier.c.sync_id == files.c.sync_id,
            earlier.c.key == files.c.key,
            earlier.c.sequence < files.c.sequence,
            of.c.state != PlanState.ABANDONED.value,
        )
    )
    its = files.c.plan_id == plan.plan_id, files.c.manifest_ordinal.is_(None)
    query = select(func.count()).select_from(files).where(*its, before.exists())
    return connection.scalar(query) or 0


def _sealed(
    connection: Connection, plan_ids: Collection[int]
) -> Mapping[int, tuple[SealedFile, ...]]:
    found: dict[int, list[SealedFile]] = {}
    is_done = plans_table.c.state == PlanState.COMMITTED.value
    with_files = (PlanState.SEALED.value, PlanState.DELIVERED.value, PlanState.COMMITTED.value)
    for chunk in chunks(sorted(set(plan_ids))):
        known = select(plans_table.c.id).where(
            plans_table.c.id.in_(chunk), plans_table.c.state.in_(with_files)
        )
        found.update({plan_id: [] for plan_id in connection.scalars(known)})
        rows = (
            select(files)
            .join(plans_table, plans_table.c.id == files.c.plan_id)
            .where(files.c.plan_id.in_(chunk), or_(is_done, ~is_committed()))
            .order_by(files.c.number)
        )
        for row in connection.execute(rows).mappings():
            if row["plan_id"] in found:
                found[row["plan_id"]].append(file_of(row))
    return {plan_id: tuple(of_plan) for plan_id, of_plan in found.items()}


def _delivered(connection: Connection) -> list[Plan]:
    state = plans_table.c.state == PlanState.DELIVERED.value
    query = select(plans_table).where(is_unfinished(), state)
    # Sorted here: for the order of ids, SQLite would walk through all plans there ever were.
    rows = sorted(connection.execute(query).mappings(), key=lambda row: row["id"])
    times = {row[name] for row in rows for name in ("lower_at", "upper_at")} - {None}
    cuts = cuts_at(connection, times)
    sent = sent_by(connection, [row["id"] for row in rows if row["slice"]])
    return [plan_of(row, cuts, sent.get(row["id"])) for row in rows]
