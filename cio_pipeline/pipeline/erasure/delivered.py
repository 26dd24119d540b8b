"""The delivered files of a workspace that may hold people, and reading them one by one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cio_pipeline.changesets.build import about_people
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.errors import CioError, DestinationError, ObjectMissing, Transient
from cio_pipeline.model.manifests import FOLDER
from cio_pipeline.model.objects import VALIDATE
from cio_pipeline.model.plans import Plan, SealedFile
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.recovery.damaged import look
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Place:
    """A sync's file that the ledger knows, and the plan that it is of."""

    sync: Sync
    plan: Plan
    file: SealedFile


@dataclass(frozen=True)
class Same:
    """Files of equal bytes in the buckets of one workspace: what is true of one is of all."""

    places: tuple[Place, ...]

    @property
    def plan(self) -> Plan:
        """A plan that made them."""
        return self.places[0].plan

    @property
    def sha256(self) -> str:
        """Their digest."""
        return self.places[0].file.sha256


@dataclass
class Delivered:
    """What was delivered for a workspace: files that are there, those that are gone, those left.

    Of what has `expired`, since readers were to delete it, nothing is said. What is `left` could
    not be looked at, with the reason. Keys by sync that are `unlisted` are in no manifest.
    """

    there: list[Same] = field(default_factory=list[Same])
    gone: list[Place] = field(default_factory=list[Place])
    expired: list[Place] = field(default_factory=list[Place])
    unlisted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    left: list[tuple[Place, str]] = field(default_factory=list[tuple[Place, str]])

    def telling(self) -> list[Same]:
        """Files that tell what others name a person by; they are rewritten last."""
        return [one for one in self.there if _tells(one.plan)]

    def others(self) -> list[Same]:
        """All others."""
        return [one for one in self.there if not _tells(one.plan)]


def _tells(plan: Plan) -> bool:
    return plan.export in MAKER_OF[plan.export].telling


def delivered(services: Services, syncs: Sequence[Sync]) -> Delivered:
    """What was delivered to some syncs and may hold people.

    Raises their destinations' errors, with the sync's name; a sync that was sent nothing yet keeps
    nobody from being erased.
    """
    found = Delivered()
    same: dict[tuple[str, str], list[Place]] = {}
    for sync in syncs:
        try:
            sizes, places, unlisted = _of_sync(services, sync)
        except (DestinationError, Transient) as error:
            if not services.ledger.recovery.committed([sync.id]):
                continue
            raise _not_looked_at(sync, error) from error
        if unlisted:
            found.unlisted[sync.id] = unlisted
        for place in places:
            size = sizes.get(place.file.key)
            if size == place.file.bytes:
                same.setdefault((place.plan.export, place.file.sha256), []).append(place)
            elif size is not None:
                found.left.append((place, ALTERED))
            else:
                (found.expired if _expired(services, sync, place) else found.gone).append(place)
    found.there = [Same(tuple(places)) for places in same.values()]
    return found


def _not_looked_at(sync: Sync, error: CioError) -> CioError:
    """The error, by its sync: of all of a workspace, one is away."""
    said = f"No file was rewritten: the place of sync '{sync.id}' cannot be looked at."
    return type(error)(
        f"{said} {error.message}",
        f"{error.next_step} Then erase again.".strip(),
    )


ALTERED = "It is not what was delivered: find out who altered it, and mend or remove it."


def _of_sync(services: Services, sync: Sync) -> tuple[Mapping[str, int], list[Place], list[str]]:
    seen = look(services, sync)
    last: dict[str, Place] = {}
    for committed in seen.committed:
        plan = committed.sealed.plan
        if about_people(ALL_EXPORTS[plan.export]):
            # Of messages with equal keys the last lies there (M4).
            last |= {file.key: Place(sync, plan, file) for file in committed.sealed.files}
    listed = {file.key for committed in seen.committed for file in committed.sealed.files}
    unlisted = [key for key in seen.sizes if key not in listed and not key.startswith(_NO_FILES)]
    return seen.sizes, list(last.values()), [key for key in unlisted if not key.endswith("/")]


_NO_FILES = (f"{FOLDER}/", VALIDATE)


def _expired(services: Services, sync: Sync, place: Place) -> bool:
    if not sync.expire_days:
        return False
    return place.plan.upper.at < services.clock() - timedelta(days=sync.expire_days)


def copied(
    services: Services, found: Delivered, files: Collection[Same], to: Path
) -> Iterator[Same]:
    """Each of some files in turn, copied to a path; those that cannot be read are `left`."""
    for number, same in enumerate(files):
        services.progress("files", number, len(files))
        for place in same.places:
            why = _copied(services, place, to)
            if why is None:
                yield same
                break
            if why == _GONE:
                found.gone.append(place)
            else:
                found.left.append((place, why))
    services.progress("files", len(files), len(files))


_GONE = "It is gone."


def _copied(services: Services, place: Place, to: Path) -> str | None:
    """Copy a file; why it is not what was delivered, or cannot be read."""
    try:
        services.destinations(place.sync).download(place.file.key, to)
        return None if sha256_of(to) == place.file.sha256 else ALTERED
    except ObjectMissing:
        return _GONE
    except CioError as error:
        return str(error)
