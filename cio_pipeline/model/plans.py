"""Plans: what one (sync, export) is about to send, frozen before the first byte is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from cio_pipeline import __version__
from cio_pipeline.model.cuts import Cut

PRODUCER = f"cio-pipeline {__version__}"
"""This release."""


class Mode(StrEnum):
    """Why a plan sends what it sends (D6).

    RETRY sends mended quarantined rows, REPLAY what a window sent before: no position moves.
    """

    INITIAL = "initial"
    CHANGES = "changes"
    CATCH_UP = "catch-up"
    RETRY = "retry"
    REPLAY = "replay"


class Series(StrEnum):
    """The two counted name patterns of an export (D5)."""

    PLAIN = "plain"
    CHNGS = "chngs"


class PlanState(StrEnum):
    """How far a plan has come; all but the last two are gone on with, never replaced.

    OPEN: nothing of it is on record but itself. SEALED: its files are. DELIVERED: they lie in the
    bucket. COMMITTED: a manifest lists them, and the position is the plan's upper cut.
    """

    OPEN = "open"
    SEALED = "sealed"
    DELIVERED = "delivered"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class PlanDraft:
    """A plan before the ledger has numbered it.

    `lower` is None for an initial export. `floor` is the earliest processed_at that is sent where
    an age limit applies (D6, D7). `first` holds the first sequence of each series.

    `layout` says where its files lie (D9). `begun` is the time of the cut that the export's first
    files of this generation were made from: who was gone then stays anonymous (D4). It is None for
    these first files, and nobody stays anonymous.

    `producer` is the release that made the plan. Files say so (D2), also where a later one finishes
    the plan or restores them: so their bytes are the same.

    What is much is sent in `slices`, one after the other: an initial export in ranges of
    `slice_rows` source rows, changes in parts of at most about as many. `slice_rows` is None where
    nothing was counted, and all of it is read.

    `contract` names the terms of the sync's data contract that it was made under, None for none:
    so it comes to the same bytes, also if the contract changed since.

    A replay leaves out rows that changed again up to `until`; None where it sends all.
    """

    sync_id: str
    workspace_id: int
    export: str
    version: int
    timestamp_unit: str
    stem: str
    generation: int
    mode: Mode
    lower: Cut | None
    upper: Cut
    floor: datetime | None
    first: Mapping[Series, int] = field(hash=False)
    rows_per_file: int
    fingerprint: str
    slices: int = field(default=1, kw_only=True)
    slice_rows: int | None = field(default=None, kw_only=True)
    layout: str = field(default="flat", kw_only=True)
    begun: datetime | None = field(default=None, kw_only=True)
    producer: str = field(default=PRODUCER, kw_only=True)
    contract: str | None = field(default=None, kw_only=True)
    until: Cut | None = field(default=None, kw_only=True)

    @property
    def is_first(self) -> bool:
        """Whether it sends all history, also once more: as of where its export stands already.

        Not that of a table that came up late, in a window of others.
        """
        again = self.lower is not None and self.lower.at == self.upper.at
        return self.mode is Mode.INITIAL and (self.lower is None or again)

    @property
    def day(self) -> date | None:
        """The day whose folders its files lie in; None if they lie flat."""
        return self.upper.at.date() if self.layout == "dated" else None


@dataclass(frozen=True)
class SentSoFar:
    """What the committed slices of a plan delivered: files of each series with any, and rows.

    `numbers` says how many sequences those files took, where several share one (C1).
    """

    files: Mapping[Series, int] = field(default_factory=dict[Series, int], hash=False)
    rows: int = 0
    numbers: Mapping[Series, int] = field(
        default_factory=dict[Series, int], hash=False, compare=False
    )


@dataclass(frozen=True)
class Plan(PlanDraft):
    """A plan that the ledger holds.

    `slice` is the one that is sent next, from 0: as many were committed. It equals `slices` once
    all were. `sent` is what those delivered.
    """

    plan_id: int
    state: PlanState
    slice: int = field(default=0, kw_only=True)
    sent: SentSoFar = field(default=SentSoFar(), kw_only=True)

    @property
    def is_delivered(self) -> bool:
        """Whether the files of its slice lie in the bucket, and wait to be committed."""
        return self.state is PlanState.DELIVERED

    @property
    def last_slice(self) -> bool:
        """Whether the slice that is sent next is the last one."""
        return self.slice + 1 >= self.slices


@dataclass(frozen=True)
class SealedFile:
    """One file of a sealed plan: its key under the destination's path, and what it must be.

    `sequence` is the number of the series; `part` is the second number of an initial metrics file
    and None elsewhere. `spool` is the path relative to the spool's root. `min_time`/`max_time`
    are of the export's time column (None if a file has none).
    """

    key: str
    series: Series
    sequence: int
    part: int | None
    rows: int
    bytes: int
    sha256: str
    min_time: datetime | None
    max_time: datetime | None
    spool: str


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that breaks the contract: its identity and the reason, never its values.

    `identity` is a JSON array of text: the values of the source table's identity, in its order.
    `count` is the number of rows of that identity and reason.
    """

    workspace_id: int
    identity: str
    reason: str
    count: int = 1


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


@dataclass(frozen=True)
class QuarantineBulk:
    """Rows that are kept together since they are too many for entries of their own.

    `identities` says of how many rows of the source the `reason` is told, `count` how often, and
    `samples` names some of them.
    """

    sync_id: str
    export: str
    reason: str
    identities: int
    count: int
    window_end: datetime
    samples: tuple[str, ...]

    def with_more(self, other: "QuarantineBulk") -> "QuarantineBulk":
        """Both as one."""
        return replace(
            self,
            identities=self.identities + other.identities,
            count=self.count + other.count,
            window_end=max(self.window_end, other.window_end),
        )


@dataclass(frozen=True)
class SealedPlan:
    """What sealing adds to a plan's slice: its files, none if there was nothing to send.

    `quarantined` are the rows held back; `resolved` the identities of rows that were held back
    earlier and that these files deliver. `counts` are numbers of rows by kind (`model.volumes`).
    """

    plan: Plan
    files: tuple[SealedFile, ...]
    quarantined: tuple[QuarantinedRow, ...] = ()
    resolved: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()

    @property
    def rest(self) -> Plan:
        """The plan as it goes on once this slice was committed: open, at the next slice."""
        counted = dict(self.plan.sent.files)
        for file in self.files:
            counted[file.series] = counted.get(file.series, 0) + 1
        numbers = dict(self.plan.sent.numbers)
        for series, _ in {(file.series, file.sequence) for file in self.files}:
            numbers[series] = numbers.get(series, 0) + 1
        rows = self.plan.sent.rows + sum(file.rows for file in self.files)
        sent = SentSoFar(counted, rows, numbers)
        return replace(self.plan, state=PlanState.OPEN, slice=self.plan.slice + 1, sent=sent)
