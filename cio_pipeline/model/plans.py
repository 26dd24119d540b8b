"""Plans: what one (sync, export) is about to send, frozen before the first byte is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cio_pipeline.model.cuts import Cut


class Mode(StrEnum):
    """Why a plan sends what it sends (D6); RETRY sends mended quarantined rows."""

    INITIAL = "initial"
    CHANGES = "changes"
    CATCH_UP = "catch-up"
    RETRY = "retry"


class Series(StrEnum):
    """The two counted name patterns of an export (D5)."""

    PLAIN = "plain"
    CHNGS = "chngs"


class PlanState(StrEnum):
    """How far a plan has come; OPEN and SEALED plans are resumed, never replaced."""

    OPEN = "open"
    SEALED = "sealed"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class PlanDraft:
    """A plan before the ledger has numbered it.

    `lower` is None for an initial export. `floor` is the earliest processed_at that is sent where
    an age limit applies (D6, D7). `first` holds the first sequence of each series.
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


@dataclass(frozen=True)
class Plan(PlanDraft):
    """A plan that the ledger holds."""

    plan_id: int
    state: PlanState


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
class SealedPlan:
    """What sealing adds to a plan: its files, none if there was nothing to send.

    `quarantined` are the rows held back; `resolved` the identities of rows that were held back
    earlier and that these files deliver.
    """

    plan: Plan
    files: tuple[SealedFile, ...]
    quarantined: tuple[QuarantinedRow, ...] = ()
    resolved: tuple[str, ...] = ()
