"""Putting the many small objects of a sealed plan: in parallel, equal keys in their order (M4).

Nothing but puts is asked of the store. A run that dies puts them all again: whatever an earlier
object of a key replaced for a moment, its last one is put after it.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.message_pack import Pack, Packed
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.errors import InvalidKey
from cio_pipeline.model.plans import SealedFile, SealedPlan
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.put_files import InFlight
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination

PUTS = 16
"""Objects of one sync that are put at a time: what counts is the store's latency."""

_AHEAD = 2 * PUTS
"""Puts that wait for a thread; their bodies are read when they are put."""

_CHECK_EVERY = PUTS
"""Objects from one look at the lease, and one line of progress, to the next."""


@dataclass
class _Puts:
    """Puts under way by key, oldest first, and keys that the store cannot hold, with reasons."""

    begin: Callable[[Packed], "Future[None]"]
    under_way: "dict[str, Future[None]]" = field(default_factory=dict[str, "Future[None]"])
    refused: dict[str, InvalidKey] = field(default_factory=dict[str, InvalidKey])

    def add(self, one: Packed) -> None:
        """Begin a put once an earlier one of its key is done; raises what earlier puts raised."""
        if one.file.key in self.under_way:
            self._settle(one.file.key)
        elif len(self.under_way) >= _AHEAD:
            self._settle(next(iter(self.under_way)))
        self.under_way[one.file.key] = self.begin(one)

    def finish(self) -> None:
        """Wait for all."""
        for key in list(self.under_way):
            self._settle(key)

    def _settle(self, key: str) -> None:
        try:
            self.under_way.pop(key).result()
        except InvalidKey as error:
            self.refused[key] = error


def put_messages(
    services: Services, lease: HeldLease, in_flight: InFlight, sync: Sync, sealed: SealedPlan
) -> None:
    """See `maker.Put`; a plan's objects may replace one another and earlier ones."""
    pair, total = (sync.id, sealed.plan.export), len(sealed.files)
    destination = services.destinations(sync)
    told = f"{sealed.plan.export} of {sync.id}: objects"
    opened = Pack.opened(services.spool, sealed.files)
    # Kept, since a put that straggles would land on a later message with its key.
    with lease.kept(pair), opened as pack, _pool() as pool:
        puts = _Puts(lambda one: pool.submit(_put, in_flight, destination, pack, one))
        for done, one in enumerate(pack):
            if done % _CHECK_EVERY == 0:
                lease.check(pair)
                services.progress(told, done, total)
            puts.add(one)
        puts.finish()
    services.progress(told, total, total)
    _require_all(puts.refused, total)


def _require_all(refused: Mapping[str, InvalidKey], total: int) -> None:
    """Raise InvalidKey for keys that the store cannot hold; all other objects lie there by then."""
    if refused:
        first = next(iter(refused.values()))
        raise InvalidKey(
            f"{first.message} So it is with {len(refused)} keys; the others of {total} messages "
            "were put.",
            "Apply a key_template without such keys, then give up the plan with `cio-pipeline plan "
            "abandon`.",
        )


@contextmanager
def _pool() -> Generator[ThreadPoolExecutor]:
    """Threads that begin nothing more once something went wrong, as when the lease is lost."""
    pool = ThreadPoolExecutor(PUTS, thread_name_prefix="put")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _put(in_flight: InFlight, destination: Destination, pack: Pack, one: Packed) -> None:
    destination.await_turn()
    with in_flight.holding(one.file.bytes):
        destination.overwrite(one.file.key, pack.body(one), one.metadata)


def objects_again(
    spool: Spool, encoded: Sequence[SpooledFile], wanted: Collection[SealedFile]
) -> Iterator[tuple[SealedFile, Callable[[Destination], None]]]:
    """See `maker.Again`: objects are told by key and bytes; of equal ones the last is put.

    Metadata is put as it was, but not compared.
    """
    sought = {(file.key, file.sha256): file for file in wanted}
    files = [one.sealed(one.kind, one.index) for one in encoded]
    if not files:
        return
    with Pack.opened(spool, files) as pack:
        found = {place: one for one in pack if (place := (one.file.key, one.file.sha256)) in sought}
        for place, one in found.items():
            yield sought[place], partial(_put_again, pack, one)


def _put_again(pack: Pack, one: Packed, destination: Destination) -> None:
    destination.overwrite(one.file.key, pack.body(one), one.metadata)
