"""What was sent, as the ledger and the buckets tell it, to mend what was lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.manifests import VoidSequence
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
