"""What the ledger knows of a sync: its configuration, switches, generation and positions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from cio_pipeline.model.breakers import Trip
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.failures import Tried
from cio_pipeline.model.plans import Mode, Plan, Series
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import window_holding

Pair: TypeAlias = tuple[str, str]
"""(sync id, export name)."""

WHOLE = "whole"
"""Stands for the export where a sync is leased by whoever changes what it is."""


@dataclass(frozen=True)
class ExportSwitch:
    """Whether an export is on, and when that last changed (`paused_at`, `resumed_at`)."""

    enabled: bool
    paused_at: datetime | None = None
    resumed_at: datetime | None = None

    @property
    def off_for(self) -> timedelta:
        """How long the last pause took; zero if there was none or it still lasts."""
        if self.paused_at is None or self.resumed_at is None or self.resumed_at < self.paused_at:
            return timedelta(0)
        return self.resumed_at - self.paused_at


@dataclass(frozen=True)
class RegisteredSync:
    """A sync in the registry.

    Windows that end at or before `created_at`, when its generation began, are no work (D6).
    `disabled_at` is set while it is disabled as a whole. `first_manifest` is the ordinal that its
    chain begins with where its files go now.
    """

    sync: Sync
    generation: int
    created_at: datetime
    switches: Mapping[str, ExportSwitch] = field(hash=False)
    disabled_at: datetime | None = None
    first_manifest: int = 1

    def sends(self, export: str) -> bool:
        """Whether an export is on, and the sync is not disabled."""
        switch = self.switches.get(export)
        return self.disabled_at is None and switch is not None and switch.enabled


@dataclass(frozen=True)
class ExportState:
    """All that decides what a (sync, export) sends next.

    `position` is the cut last delivered in this generation. `next_sequence` holds, per series,
    the lowest number never used (1 at first). `begun` is the time of the cut that its last initial
    export was made from, None if there was none in this generation.
    """

    registered: RegisteredSync
    export: str
    switch: ExportSwitch
    position: Cut | None
    open_plan: Plan | None
    next_sequence: Mapping[Series, int] = field(hash=False)
    begun: datetime | None = None

    @property
    def sync(self) -> Sync:
        """The sync's configuration."""
        return self.registered.sync

    @property
    def begin(self) -> datetime:
        """The time that the first position of one that forwards is the cut of: it has no history.

        Whatever was committed in the window that its sync was created in, or later, is sent,
        however late the first run is and in whatever order windows run.
        """
        return window_holding(self.registered.created_at, self.sync.feed).start

    @property
    def stands_at(self) -> datetime | None:
        """Up to when everything was sent, also before the first run; None if nothing was."""
        if self.position is not None:
            return self.position.at
        return self.begin if self.sync.feed.facts.forwards else None

    @property
    def is_fresh(self) -> bool:
        """Whether the export waits for its initial export, or for catching up after a pause."""
        stands, resumed = self.stands_at, self.switch.resumed_at
        first = stands is None or (self.open_plan is not None and self.open_plan.is_first)
        return first or (resumed is not None and stands is not None and stands < resumed)

    def delivered_until(self, driving: str) -> datetime | None:
        """Up to when all data was delivered: less than the position, while commits wait (D6).

        `driving` is the export's source table.
        """
        if self.position is None:
            return None
        waiting = self.position.waiting(driving)
        late = waiting.since if waiting else None
        return min(self.position.at, late) if late else self.position.at

    @property
    def delivered(self) -> Cut | None:
        """Up to where files lie in the bucket: beyond the position until they are committed."""
        plan = self.open_plan
        if plan is None or plan.mode is Mode.REPLAY:
            return self.position
        return plan.upper if plan.is_delivered and plan.last_slice else self.position

    @property
    def on(self) -> bool:
        """Whether anything is sent: the export is on, and the sync is not disabled."""
        return self.registered.sends(self.export)


@dataclass(frozen=True)
class Lease:
    """The right of one run to work on some (sync, export) pairs until `expires_at`.

    `tokens` maps each granted pair to its fencing token, which grows with every claim.
    """

    owner: str
    expires_at: datetime
    tokens: Mapping[Pair, int] = field(hash=False)


@dataclass(frozen=True)
class LeaseHolder:
    """Who has a pair that could not be claimed."""

    sync_id: str
    export: str
    owner: str
    expires_at: datetime


@dataclass(frozen=True)
class Outcome(Tried):
    """What came of one (sync, export) in a run, for the run's metadata and the ledger's errors."""

    sync_id: str
    export: str
    workspace_id: int
    mode: Mode | None
    rows: int = 0
    files: int = 0
    bytes: int = 0
    quarantined: int = 0
    kinds: tuple[tuple[str, int, int], ...] = ()
    """Of each file of calls its type, rows and bytes; empty for other feeds."""
    overwritten: int = 0
    """Messages whose object replaced an earlier one of the same key."""
    slow: bool = False
    """Whether it was served, and others would have to wait for it."""

    @property
    def trip(self) -> Trip | None:
        """What the destination's breaker has to know; None if it had no part in what is wrong."""
        return self.error.trip if self.error else Trip.SLOW if self.slow else None


def changed_meanwhile(sync_id: str) -> LeaseLost:
    """The error for what was made of a sync as it is no more."""
    return LeaseLost(
        f"Sync '{sync_id}' was changed by somebody else just now.", "Look, then do it again."
    )
