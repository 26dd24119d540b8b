"""What mending after a loss needs from the ledger: its values, and the protocol it is asked by."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.manifests import VoidSequence
from cio_pipeline.model.plans import PlanDraft, SealedFile, SealedPlan, Series
from cio_pipeline.model.registry import ExportSwitch, Lease
from cio_pipeline.model.sync import Sync


@dataclass(frozen=True)
class CommittedPlan:
    """A plan whose files were delivered, with all that encoding them again needs."""

    sealed: SealedPlan
    committed_at: datetime


@dataclass(frozen=True)
class ListedPlan:
    """A plan as a manifest tells it: `ordinal` lists its files since `listed_at`."""

    draft: PlanDraft
    files: tuple[SealedFile, ...]
    ordinal: int
    listed_at: datetime


@dataclass(frozen=True)
class UnderWay:
    """An initial export, the first `done` slices of which manifests list.

    `files` are those of all of them, each with the manifest that lists it.
    """

    draft: PlanDraft
    done: int
    files: tuple[tuple[int, SealedFile], ...]


@dataclass(frozen=True)
class Registration:
    """A sync to be registered, as of `created_at`."""

    sync: Sync
    switches: Mapping[str, ExportSwitch] = field(hash=False)
    created_at: datetime


@dataclass(frozen=True)
class Recovered:
    """What a sync's bucket tells and the ledger does not know.

    The sync was served from `created_at` on, and its chain begins with `first_manifest`.
    `manifests` are (ordinal, body), later than those that ledger and bucket have in common.
    `plans` are those that they list, but for initial exports `under_way`. `kept` are exports
    whose unfinished plan, if the ledger has one, is gone on with. `void` are numbers that they
    declare void, by ordinal. `positions` are cuts by export. `next` holds the lowest number never
    used. `lost` are numbers that may have been used and that no manifest accounts for: they become
    void. `sent` are identities by export that those manifests' files deliver, among the rows that
    the ledger has in quarantine.
    """

    sync_id: str
    created_at: datetime
    generation: int
    first_manifest: int
    manifests: tuple[tuple[int, bytes], ...]
    plans: tuple[ListedPlan, ...]
    under_way: tuple[UnderWay, ...]
    kept: frozenset[str]
    void: tuple[tuple[int, VoidSequence], ...]
    positions: Mapping[str, Cut] = field(hash=False)
    next: Mapping[tuple[str, Series], int] = field(hash=False)
    lost: tuple[VoidSequence, ...]
    sent: Mapping[str, tuple[str, ...]] = field(hash=False)


class Recovery(Protocol):
    """Reading and writing the past of the ledger; no run needs it."""

    def committed(self, sync_ids: Collection[str]) -> Sequence[CommittedPlan]:
        """Plans with files that were committed for some syncs, in order of commit."""
        ...

    def rebuild(
        self, syncs: Sequence[Registration], found: Sequence[Recovered], now: datetime
    ) -> None:
        """Fill an empty ledger, in one transaction; LedgerError if it is not empty."""
        ...

    def take_in(self, lease: Lease, found: Recovered, now: datetime) -> None:
        """Bring a registered sync up to its bucket, in one transaction.

        Unfinished plans are abandoned, their sealed numbers void, but for those `kept`. Manifests
        that were never put give way to those of the bucket. Raises LeaseLost, and LedgerError if
        the ledger contradicts the bucket.
        """
        ...
