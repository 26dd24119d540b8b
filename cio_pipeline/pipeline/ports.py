"""What the use cases need from the outside, as protocols that the adapters fulfil."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.history import Deed, Entry
from cio_pipeline.model.manifests import Manifest, ManifestFile, VoidSequence
from cio_pipeline.model.plans import Plan, PlanDraft, SealedFile, SealedPlan
from cio_pipeline.model.registry import (
    ExportState,
    ExportSwitch,
    Lease,
    LeaseHolder,
    RegisteredSync,
)
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery import Recovery

Clock: TypeAlias = Callable[[], datetime]
"""The current time, aware UTC."""

Pair: TypeAlias = tuple[str, str]
"""(sync id, export name)."""


# --- source --------------------------------------------------------------------------------


@dataclass(frozen=True)
class TableSlice:
    """Rows `[start, stop)` of a table at a cut, counted in the fixed order of its snapshot."""

    start: int
    stop: int


class Source(Protocol):
    """Tables that can be read as they were at a cut."""

    @property
    def replayable(self) -> bool:
        """Whether an old cut can be read again."""
        ...

    def cut(self, at: datetime, tables: Iterable[SourceTable], after: Cut | None) -> Cut:
        """Everything committed before `at`, not lower than `after` in any table.

        A table that does not exist yet is left out. Raises TableReplaced, SourceGone,
        VersionGone, SourceUnavailable.
        """
        ...

    def changes(self, table: SourceTable, lower: TableCut, upper: TableCut) -> pl.LazyFrame:
        """Netted changes in `(lower, upper]`, one row per identity that differs.

        Columns: the table's declared ones (dtypes of the contract), then CHANGE, VERSION,
        COMMITTED_AT, GREW. `new`/`changed` rows hold the state at `upper`, `deleted` ones that at
        `lower`. Not sorted.
        Raises ColumnMismatch, VersionGone.
        """
        ...

    def snapshot(
        self, table: SourceTable, cut: TableCut, part: TableSlice | None = None
    ) -> pl.LazyFrame:
        """All rows of a table at a cut, or one slice; declared columns only, in a fixed order.

        Raises ColumnMismatch, VersionGone.
        """
        ...

    def slices(self, table: SourceTable, cut: TableCut, rows: int) -> Sequence[TableSlice]:
        """A snapshot as slices of at most `rows` rows, one at least, which follow one another.

        Always the same for a cut and a number of rows, and cheap: no row is read. Some rows that
        are counted may be deleted ones. Raises VersionGone, SourceUnavailable, SourceError.
        """
        ...


# --- destination ---------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectInfo:
    """An object as listed: key under the destination's path, and size in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class Permission:
    """What came of trying a permission: `granted` is None if it could not be told.

    `needed_for` is what a sync uses it for; `next_step` says how to mend it, if it is missing.
    `needed_by` is `all` feeds, those that deliver `files` and look at them again, or `none`: then
    it is recommended, or of use to a verb like purge.
    """

    name: str
    granted: bool | None
    needed_for: str
    detail: str = ""
    next_step: str = ""
    needed_by: Literal["all", "files", "none"] = "files"


class Destination(Protocol):
    """A sync's place in a store. Keys are relative to its path and are checked here.

    Every method raises typed errors only (model.errors) with secrets scrubbed.
    """

    def put(self, key: str, file: Path, sha256: str) -> None:
        """Create an object from a file, never overwriting.

        An object that is already there with the same bytes counts as success; any other raises
        ObjectConflict.
        """
        ...

    def put_bytes(self, key: str, body: bytes) -> None:
        """The same for a small body."""
        ...

    def get(self, key: str) -> bytes:
        """A small object's bytes; raises ObjectMissing."""
        ...

    def download(self, key: str, to: Path) -> None:
        """Copy an object into a local file, streamed; raises ObjectMissing."""
        ...

    def sha256(self, key: str) -> str:
        """The digest of an object's bytes, streamed; raises ObjectMissing."""
        ...

    def list(self, prefix: str = "") -> Iterable[ObjectInfo]:
        """All objects below a folder prefix, in key order."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as success."""
        ...

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write a small JSON object with metadata, in place of what lies there (M1, M4).

        Metadata names are those of S3; a store that cannot hold one adapts it.
        """
        ...

    def announce(self) -> None:
        """What a store wants written before the first file of a sync's run (`cio-validate`)."""
        ...

    def permissions(self) -> Sequence["Permission"]:
        """Each permission that a sync needs, tried out and left as it was found.

        Never raises: what cannot be tried has its error as `detail`.
        """
        ...

    def describe(self) -> str:
        """Where this is, for people: no secrets."""
        ...


Destinations: TypeAlias = Callable[[Sync], Destination]
"""Opens a sync's destination."""


# --- ledger --------------------------------------------------------------------------------


class Registry(Protocol):
    """Which syncs there are."""

    def all(self) -> Sequence[RegisteredSync]:
        """Every sync, by id."""
        ...

    def get(self, sync_id: str) -> RegisteredSync:
        """One sync; raises UnknownSync, naming the known ones."""
        ...

    def put(
        self,
        sync: Sync,
        exports: Mapping[str, ExportSwitch],
        at: datetime,
        deed: Deed | None = None,
    ) -> RegisteredSync:
        """Register a sync (created `at`, generation 1) or replace its configuration.

        The switches given are stored as they are; a sync that exists keeps created_at and
        generation. The `deed` becomes a line of its history, in the same transaction.
        """
        ...

    def states(
        self, exports: Collection[str], sync_ids: Collection[str] | None = None
    ) -> Sequence[ExportState]:
        """The state of each (sync, export) among `exports` that the syncs carry a switch for.

        A bounded number of queries, however many syncs there are.
        """
        ...


class Changes(Protocol):
    """What happens to a sync as a whole (D7)."""

    def change(
        self,
        lease: Lease,
        known: RegisteredSync,
        to: RegisteredSync,
        deed: Deed,
        at: datetime,
        *,
        forgotten: Collection[str] = (),
        manifest: tuple[Manifest, bytes] | None = None,
    ) -> None:
        """Make a sync what it is `to` be, in one transaction with a line of its history.

        The lease holds all its pairs. `forgotten` exports lose their position, so they begin with
        all history again; `manifest` is stored with it, to begin a chain anew. Raises LeaseLost,
        also if the sync is not what is `known` any more; PositionMoved if a plan is unfinished.
        """
        ...


class History(Protocol):
    """Who did what to a sync."""

    def of(self, sync_id: str) -> Sequence[Entry]:
        """All lines of a sync, oldest first."""
        ...


class Cuts(Protocol):
    """The stored cuts of the data-out feed."""

    def get(self, at: datetime) -> Cut | None:
        """The cut of the window that ends at `at`, if decided."""
        ...

    def store(self, cut: Cut) -> Cut:
        """Keep a cut; if one is stored for its `at` already, that one wins and is returned."""
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
        """Push the expiry of all pairs; raises LeaseLost if any is another's."""
        ...

    def check(self, lease: Lease, pair: Pair) -> None:
        """Raise LeaseLost if the pair's fencing token is no longer this lease's."""
        ...

    def release(self, lease: Lease) -> None:
        """Give back all pairs that are still this lease's."""
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


@dataclass(frozen=True)
class KnownObject:
    """An object that was put for a sync: what lies under its key with its size is ours.

    But for those that are not `committed`: a run died, or gave up, around their put.
    """

    key: str
    size: int
    sha256: str
    committed: bool = True


class Manifests(Protocol):
    """The chain of manifests per sync."""

    def pending(
        self, sync_ids: Collection[str]
    ) -> Mapping[str, tuple[Sequence[ManifestFile], Sequence[VoidSequence]]]:
        """Committed files and void numbers that no manifest lists yet, per sync that has any."""
        ...

    def last(self, sync_id: str) -> tuple[int, str] | None:
        """Ordinal and digest of the last stored manifest."""
        ...

    def store(self, manifest: Manifest, body: bytes) -> None:
        """Store a manifest before it is put, and mark what it lists.

        Raises LeaseLost if the ordinal is taken.
        """
        ...

    def unput(self, sync_ids: Collection[str]) -> Sequence[tuple[str, int, bytes]]:
        """(sync id, ordinal, body) of stored manifests that have not been put yet, in order."""
        ...

    def mark_put(self, sync_id: str, ordinal: int, now: datetime) -> None:
        """The manifest lies in the bucket."""
        ...

    def bodies(self, sync_id: str) -> Sequence[tuple[int, bytes]]:
        """All stored manifests of a sync, in order."""
        ...

    def objects(self, sync_id: str) -> Sequence[KnownObject]:
        """Everything that may have been put for a sync, wherever its files went then."""
        ...

    def files(self, sync_id: str, generation: int | None = None) -> Sequence[ManifestFile]:
        """All committed files of a sync, in order of commit."""
        ...


@dataclass(frozen=True)
class QuarantineEntry:
    """A quarantined row as the ledger keeps it; `window_end` names the cut that it was read at.

    `state` is open, sent (by a retry) or superseded (a later changeset sent the row mended).
    """

    entry_id: int
    sync_id: str
    export: str
    workspace_id: int
    identity: str
    reason: str
    count: int
    window_end: datetime
    state: str


class Quarantine(Protocol):
    """Rows that were held back."""

    def entries(
        self, sync_ids: Collection[str] | None = None, state: str | None = "open"
    ) -> Sequence[QuarantineEntry]:
        """Entries by sync, export and identity."""
        ...


class Attempts(Protocol):
    """How often the sensor asked for a run of a window, per lane."""

    def next(self, lane: str, key: str, now: datetime) -> int:
        """Count one more attempt and return its number, from 1."""
        ...

    def counts(self, lane: str, keys: Collection[str]) -> Mapping[str, tuple[int, datetime]]:
        """Number and time of the last attempt, for the keys that have one."""
        ...


class Breakers(Protocol):
    """Syncs whose destination failed in their last runs, or holds up others."""

    def all(self) -> Mapping[str, Breaker]:
        """The breakers there are, by sync id."""
        ...

    def put(self, changed: Sequence[Breaker]) -> None:
        """Keep breakers in place of what was kept of those syncs."""
        ...

    def close(self, sync_ids: Collection[str]) -> None:
        """Forget the breakers of syncs: they are in order, or somebody says that they are."""
        ...


class Ledger(Protocol):
    """The state of everything; each part is small and stands for one concept."""

    @property
    def registry(self) -> Registry:
        """Which syncs there are."""
        ...

    @property
    def changes(self) -> Changes:
        """What becomes of a sync."""
        ...

    @property
    def history(self) -> History:
        """What became of it so far."""
        ...

    @property
    def cuts(self) -> Cuts:
        """What each window's end means."""
        ...

    @property
    def leases(self) -> Leases:
        """Who works on what."""
        ...

    @property
    def plans(self) -> Plans:
        """What is being sent."""
        ...

    @property
    def errors(self) -> Errors:
        """What went wrong."""
        ...

    @property
    def manifests(self) -> Manifests:
        """What was sent, chained."""
        ...

    @property
    def quarantine(self) -> Quarantine:
        """What was held back."""
        ...

    @property
    def attempts(self) -> Attempts:
        """How often the sensor tried."""
        ...

    @property
    def breakers(self) -> Breakers:
        """Who is left alone, for now or until somebody acts."""
        ...

    @property
    def recovery(self) -> Recovery:
        """What was sent, to mend what was lost."""
        ...
