"""The objects of a sync that lie in its bucket, and removing them: never anybody else's."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cio_pipeline.files.names import key_problem
from cio_pipeline.model.errors import ObjectArchived, ObjectMissing
from cio_pipeline.model.manifests import ACKNOWLEDGED, CHAIN, FOLDER, KnownObject
from cio_pipeline.model.objects import VALIDATE
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination, Destinations

THREADS = 8
CHUNK = 200


@dataclass(frozen=True)
class Remains:
    """Keys of a sync's objects that lie in its bucket, in the order that they are removed in.

    `left` are keys of ours with something else under them, `odd` those that no sync gives.
    """

    files: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All that would be removed."""
        return (*self.files, *self.manifests, *self.others)


def remains(services: Services, known: RegisteredSync) -> Remains:
    """What lies in a sync's bucket of all that the ledger knows; raises its errors."""
    destination = services.destinations(known.sync)
    sizes = {found.key: found.size for found in destination.list()}
    there = [one for one in services.ledger.manifests.objects(known.sync.id) if one.key in sizes]
    ours = list(dict.fromkeys(one.key for one in there if _is_ours(destination, sizes, one)))
    return Remains(
        files=tuple(key for key in ours if not _is_manifest(key)),
        manifests=tuple(key for key in ours if _is_manifest(key)),
        # Whoever begins here next has not been acknowledged.
        others=(
            *((VALIDATE,) if sizes.get(VALIDATE) == 0 else ()),
            *((ACKNOWLEDGED,) if ACKNOWLEDGED in sizes else ()),
        ),
        left=tuple(sorted({one.key for one in there} - set(ours))),
        odd=tuple(key for key in sizes if key_problem(key) is not None),
    )


def _is_manifest(key: str) -> bool:
    return key.startswith(f"{FOLDER}/")


def _is_ours(destination: Destination, sizes: Mapping[str, int], one: KnownObject) -> bool:
    if sizes[one.key] != one.size:
        return False
    if one.committed:
        return True
    try:
        return destination.sha256(one.key) == one.sha256
    except (ObjectArchived, ObjectMissing):
        return False


def remove(
    destinations: Destinations, held: HeldLease, known: RegisteredSync, found: Remains
) -> None:
    """Remove a sync's objects, manifests last; raises the destination's errors.

    A crash in between leaves the rest, to be removed by doing it again.
    """
    destination = destinations(known.sync)
    for keys in _in_turn(found):
        held.check((known.sync.id, CHAIN))
        with ThreadPoolExecutor(THREADS, thread_name_prefix="purge") as pool:
            list(pool.map(destination.delete, keys))


def _in_turn(found: Remains) -> Iterator[tuple[str, ...]]:
    for keys in (found.files, found.manifests, found.others):
        yield from (keys[at : at + CHUNK] for at in range(0, len(keys), CHUNK))
