"""Putting the files of a sealed plan, one after the other, never over another object.

Before the first, a destination may be told of the run (D8, `cio-validate`).
"""

import threading
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.spool import Spool, sha256_of
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import SealedFile, SealedPlan
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


class InFlight:
    """A budget of bytes that threads share; what is larger than all of it goes alone.

    `synced` is what `Destination.put` is told of all files.
    """

    def __init__(self, limit: int, *, synced: bool = False) -> None:
        self.synced = synced
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size: int) -> Generator[None]:
        """Wait until `size` bytes fit in, and hold them."""
        size = min(size, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._held + size <= self._limit)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


def put_files(
    services: Services, lease: HeldLease, in_flight: InFlight, sync: Sync, sealed: SealedPlan
) -> None:
    """See `maker.PutFiles`."""
    destination = services.destinations(sync)
    for file in sealed.files:
        lease.recheck((sealed.plan.sync_id, sealed.plan.export))
        announce(services, sync, destination)
        destination.await_turn()
        with in_flight.holding(file.bytes):
            path = services.spool.path(file.spool)
            destination.put(file.key, path, file.sha256, synced=in_flight.synced)


def are_whole(spool: Spool, files: Sequence[SealedFile]) -> bool:
    """See `maker.Whole`."""
    return all(_is_whole(spool, file) for file in files)


def _is_whole(spool: Spool, file: SealedFile) -> bool:
    try:
        return sha256_of(spool.path(file.spool)) == file.sha256
    except (CioError, OSError):
        return False


def files_again(
    spool: Spool, encoded: Sequence[SpooledFile], wanted: Collection[SealedFile]
) -> Iterator[tuple[SealedFile, Callable[[Destination], None]]]:
    """See `maker.Again`: files are told by their bytes."""
    paths = {one.sha256: spool.path(one.path) for one in encoded}
    for file in wanted:
        if file.sha256 in paths:
            yield file, partial(put_from, paths[file.sha256], file)


def put_from(path: Path, file: SealedFile, destination: Destination) -> None:
    """Put a file that lies somewhere else than where it was sealed."""
    destination.put(file.key, path, file.sha256)


def announce(services: Services, sync: Sync, destination: Destination) -> None:
    """Announce a sync whose feed does so, once a run; raises what the destination raises.

    Call it when there is a file to send: nothing to send, nothing written.
    """
    if not sync.feed.facts.announces or services.announced.get(sync.id) == services.owner:
        return
    destination.announce()
    services.announced[sync.id] = services.owner
