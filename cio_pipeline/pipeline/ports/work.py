"""What is being sent, by whom, and what went wrong."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from cio_pipeline.model.breaches import Breach, Breaches
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.plans import Plan, PlanDraft, SealedFile, SealedPlan
from cio_pipeline.model.registry import Lease, LeaseHolder
from cio_pipeline.pipeline.ports.units import Pair


class Cuts(Protocol):
    """The stored cuts of the data-out feed."""

    def get(self, at: datetime) -> Cut | None:
        """The cut of the window that ends at `at`, if decided."""
        ...

    def store(self, cut: Cut) -> Cut:
        """Keep a cut; if one is stored for its `at` already, that one wins and is returned."""
        ...

    def decide(self, cut: Cut, before: Cut | None, after: Cut | None) -> Cut | None:
        """Keep a cut that was decided between its neighbours; None if these are others by now.

        Of a cut that is stored already, only what was undecided changes.
        """
        ...

    def before(self, at: datetime) -> Cut | None:
        """The latest stored cut that ends before `at`."""
        ...

    def after(self, at: datetime) -> Cut | None:
        """The earliest stored cut that ends after `at`."""
        ...


class Leases(Protocol):
    """Who may work on which (sync, export)."""

    def claim(
        self, pairs: Collection[Pair], owner: str, now: datetime, ttl: timedelta
    ) -> tuple[Lease, Sequence[LeaseHolder]]:
        """Claim every pair that is free, expired or already the owner's; name who has the rest."""
        ...

    def renew(self, lease: Lease, now: datetime, ttl: timedelta) -> Lease:
        """Push the expiry of all pairs that are still held, which the lease returned has.

        Raises LeaseLost if none is.
        """
        ...

    def lost(self, lease: Lease, pairs: Collection[Pair]) -> Mapping[Pair, LeaseLost]:
        """Those of the pairs whose fencing token is no longer this lease's, each as an error."""
        ...

    def release(self, lease: Lease) -> None:
        """Give back all pairs that are still this lease's."""
        ...

    def holders(self, now: datetime) -> Sequence[LeaseHolder]:
        """Who holds which pair, by leases that have not expired."""
        ...

    def owners(self, now: datetime) -> Collection[str]:
        """Who holds a lease that has not expired: the runs that give a sign of life."""
        ...


class Plans(Protocol):
    """Plan → seal → commit, at most one open per (sync, export). All calls work in bulk."""

    def open(self, lease: Lease, drafts: Sequence[PlanDraft], now: datetime) -> Sequence[Plan]:
        """Number and store plans; raises LeaseLost, PositionMoved if one is open already."""
        ...

    def seal(self, lease: Lease, sealed: Sequence[SealedPlan], now: datetime) -> None:
        """Record the files of plans before the first put, and their quarantined rows.

        Sealing a sealed plan again must bring the same keys and digests: DigestMismatch.
        """
        ...

    def sealed(self, plans: Collection[Plan]) -> Mapping[int, tuple[SealedFile, ...]]:
        """The sealed files of sealed plans (of their slice) or committed ones, by plan id."""
        ...

    def overwrites(self, plan: Plan) -> int:
        """How many files of a plan have the key of an earlier file of the sync (M3)."""
        ...

    def commit(self, lease: Lease, plans: Sequence[Plan], now: datetime) -> None:
        """Files and new positions in one transaction.

        A plan that has more slices goes on to the next, open again; its position stays. Raises
        LeaseLost or PositionMoved, and then nothing of the call is stored.
        """
        ...

    def advance(self, lease: Lease, pairs: Collection[Pair], to: Cut, now: datetime) -> None:
        """Move positions where there is nothing to send; never backwards, in bulk."""
        ...

    def advance_unheld(
        self, stands: Mapping[Pair, datetime], to: Cut, now: datetime
    ) -> Collection[Pair]:
        """The same without a lease, for pairs that nobody holds; the pairs that were moved.

        A pair moves only from where it `stands`, and only without an unfinished plan.
        """
        ...

    def abandon(self, lease: Lease, plan: Plan, *, void: bool, now: datetime) -> None:
        """Close a plan without delivering it; `void` records its sealed numbers as void."""
        ...


class Errors(Protocol):
    """What went wrong for a (sync, export) in a window, scrubbed."""

    def record(
        self, pairs: Collection[Pair], at: datetime, kind: str, message: str, now: datetime
    ) -> None:
        """Record one error for pairs, in the window that ends at `at`."""
        ...

    def of_window(self, at: datetime) -> Mapping[Pair, str]:
        """Errors of one window that no later delivery has overtaken: pair → message."""
        ...

    def since(self, at: datetime) -> Collection[tuple[Pair, datetime]]:
        """(pair, window end) of all errors in windows that end after `at`."""
        ...


class SourceBreaches(Protocol):
    """What in the source breaks its contract: one entry per table and kind, however often."""

    def record(self, at: datetime, found: Sequence[Breach]) -> None:
        """Count what a changeset of the window that ends at `at` had; the most, if told again."""
        ...

    def all(self) -> Sequence[Breaches]:
        """All that was ever found, by table and kind."""
        ...


class Attempts(Protocol):
    """How often the sensor asked for a run of a window, per lane."""

    def next(self, lane: str, key: str, now: datetime) -> int:
        """Count one more attempt and return its number, from 1."""
        ...

    def counts(self, lane: str, keys: Collection[str]) -> Mapping[str, tuple[int, datetime]]:
        """Number and time of the last attempt, for the keys that have one."""
        ...
