"""What was sent, as the ledger and the buckets tell it, to mend what was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.manifests import Superseded, VoidSequence
from cio_pipeline.model.plans import PlanDraft, SealedFile, SealedPlan, Series
from cio_pipeline.model.registry import ExportSwitch
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
    """A plan in slices, the first `done` of which manifests list.

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

    `since` is the first manifest that the ledger does not hold as the bucket does, None if it holds
    them all. From there on the bucket is right: `manifests` are (ordinal, body), `plans` those that
    they list, but for those `under_way`; `void` are numbers that they declare void, by
    ordinal; `positions` are cuts by export, and `sent` identities by export that their files
    deliver, among the rows that the ledger has in quarantine. The sync was served from `created_at`
    on, and its chain begins with `first_manifest`. `superseded` are files that were rewritten, by
    ordinal.

    `next` holds the lowest number never used. `lost` are numbers that may have been used and that
    no manifest accounts for: they become void.
    """

    sync_id: str
    created_at: datetime
    generation: int
    first_manifest: int
    next: Mapping[tuple[str, Series], int] = field(hash=False)
    lost: tuple[VoidSequence, ...]
    since: int | None = None
    manifests: tuple[tuple[int, bytes], ...] = ()
    plans: tuple[ListedPlan, ...] = ()
    under_way: tuple[UnderWay, ...] = ()
    void: tuple[tuple[int, VoidSequence], ...] = ()
    superseded: tuple[tuple[int, Superseded], ...] = ()
    positions: Mapping[str, Cut] = field(default_factory=dict[str, Cut], hash=False)
    sent: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]], hash=False
    )


@dataclass(frozen=True)
class Looked:
    """What a restore works from: the objects of a sync's bucket by key, and its history."""

    sizes: Mapping[str, int]
    committed: Sequence[CommittedPlan]
