"""Which committed objects are no longer in the bucket as they were delivered."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cio_pipeline.files.names import key_problem, shown
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.model.errors import ObjectArchived, ObjectMissing
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.model.plans import SealedFile
from cio_pipeline.model.recovery import CommittedPlan, Looked
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import Clock
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


class Damage(StrEnum):
    """What happened to an object."""

    MISSING = "missing"
    ALTERED = "altered"


@dataclass(frozen=True)
class DamagedFile:
    """A committed file that is to be put again."""

    committed: CommittedPlan
    file: SealedFile
    damage: Damage

    @property
    def plan_id(self) -> int:
        """The plan that delivered it."""
        return self.committed.sealed.plan.plan_id


@dataclass(frozen=True)
class DamagedManifest:
    """A stored manifest that is to be put again; without its body if that was pruned."""

    ordinal: int
    body: bytes
    damage: Damage


def damaged_files(
    services: Services,
    sync: Sync,
    windows: Collection[Window] | None,
    exports: Collection[str] | None = None,
    seen: Looked | None = None,
) -> list[DamagedFile]:
    """Files of a sync, of some windows or of all, that are gone or have other bytes.

    Every file is read. Those that readers were to delete by now (`files_expire_after`) are left
    out. Its bucket and its history are read, unless they are `seen`. Raises the destination's
    errors.
    """
    seen = seen or look(services, sync)
    destination = services.destinations(sync)
    found: list[DamagedFile] = []
    loaded = _loaded(services, sync)
    last = _last_numbers(services.ledger.plans, sync, seen.committed)
    for committed in _wanted(services.clock, sync, seen, windows, exports):
        for file in committed.sealed.files:
            if last.get(file.key, file.sequence) != file.sequence:
                continue  # A later message replaced it (M4).
            if file.key in loaded and file.key not in seen.sizes:
                continue
            damage = _damage(destination, seen.sizes, file)
            if damage is not None:
                found.append(DamagedFile(committed, file, damage))
    return found


def _loaded(services: Services, sync: Sync) -> set[str]:
    """Files that their reader has acknowledged, where these are deleted then."""
    told = acknowledged(services, sync) if sync.expire_acknowledged_after else None
    if told is None:
        return set()
    up_to = told, services.clock()
    return {one.key for one in services.ledger.manifests.expired(sync.id, None, up_to)}


def look(services: Services, sync: Sync) -> Looked:
    """List the bucket and read the history; of keys that no sync gives a notice is given."""
    sizes = {found.key: found.size for found in services.destinations(sync).list()}
    for key in filter(key_problem, sizes):
        services.notice(
            f"{sync.id}: {shown(key)} is left alone: the key {key_problem(key)}, no sync put it."
        )
    return Looked(sizes, services.ledger.recovery.committed([sync.id]))


def last_numbers(services: Services, sync: Sync) -> Mapping[str, int]:
    """The number of the last message of each key; nothing for feeds that overwrite nothing.

    Messages that lie in the bucket and wait for their manifest count, too.
    """
    if not sync.feed.facts.overwrites:
        return {}
    return _last_numbers(services.ledger.plans, sync, services.ledger.recovery.committed([sync.id]))


def _last_numbers(plans: Plans, sync: Sync, history: Sequence[CommittedPlan]) -> Mapping[str, int]:
    if not sync.feed.facts.overwrites:
        return {}
    waiting = [plan for plan in plans.delivered() if plan.sync_id == sync.id]
    listed = [committed.sealed.files for committed in history]
    found: dict[str, int] = {}
    for files in (*listed, *plans.sealed(waiting).values()):
        for file in files:
            found[file.key] = max(file.sequence, found.get(file.key, 0))
    return found


def _wanted(
    clock: Clock,
    sync: Sync,
    seen: Looked,
    windows: Collection[Window] | None,
    exports: Collection[str] | None,
) -> Iterator[CommittedPlan]:
    expired = clock() - timedelta(days=sync.expire_days) if sync.expire_days else None
    for committed in seen.committed:
        plan = committed.sealed.plan
        of_window = windows is None or any(one.start < plan.upper.at <= one.end for one in windows)
        of_export = exports is None or plan.export in exports
        if of_window and of_export and (expired is None or committed.committed_at >= expired):
            yield committed


def _damage(destination: Destination, sizes: Mapping[str, int], file: SealedFile) -> Damage | None:
    if file.key not in sizes:
        return Damage.MISSING
    try:
        same = sizes[file.key] == file.bytes and destination.sha256(file.key) == file.sha256
    except ObjectMissing:
        return Damage.MISSING
    except ObjectArchived:
        return None  # It has its size; more cannot be told.
    return None if same else Damage.ALTERED


def damaged_manifests(services: Services, sync: Sync) -> list[DamagedManifest]:
    """Manifests of a sync that were put where its files go, and are gone or have other bytes.

    Raises the destination's errors.
    """
    if not sync.manifest:
        return []
    destination = services.destinations(sync)
    unput = {ordinal for _, ordinal, _ in services.ledger.manifests.unput([sync.id])}
    first = services.ledger.registry.get(sync.id).first_manifest
    found: list[DamagedManifest] = []
    manifests = services.ledger.manifests
    for ordinal, digest in manifests.digests(sync.id).items():
        if ordinal in unput or ordinal < first:
            continue
        try:
            damage = None if destination.sha256(manifest_key(ordinal)) == digest else Damage.ALTERED
        except ObjectMissing:
            damage = Damage.MISSING
        if damage:
            found.append(DamagedManifest(ordinal, manifests.body(sync.id, ordinal), damage))
    return found
