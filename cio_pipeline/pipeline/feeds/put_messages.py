"""Putting the many small objects of a sealed plan: in parallel, equal keys in their order (M4).

Nothing but puts is asked of the store. A run that dies puts them all again: whatever an earlier
object of a key replaced for a moment, its last one is put after it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.message_pack import Pack, Packed
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.errors import InvalidKey, ObjectMissing
from cio_pipeline.model.plans import SealedFile, SealedPlan
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.put_files import InFlight
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.in_parallel import in_parallel
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination

PUTS = 16
"""Threads that put the objects of one sync: what counts is the store's latency."""

_AT_ONCE = 2048
"""Objects that are shared out among them at a time; each share is made durable together."""


def put_messages(
    services: Services, lease: HeldLease, in_flight: InFlight, sync: Sync, sealed: SealedPlan
) -> None:
    """See `maker.PutFiles`; a plan's objects may replace one another and earlier ones."""
    pair, total = (sync.id, sealed.plan.export), len(sealed.files)
    destination = services.destinations(sync)
    told = f"{sealed.plan.export} of {sync.id}: objects"
    refused: dict[str, InvalidKey] = {}

    def put(share: Sequence[Packed]) -> None:
        there: list[Packed] = []
        for one in share:
            lease.recheck(pair)
            destination.await_turn()
            with in_flight.holding(one.file.bytes):
                try:
                    destination.overwrite(one.file.key, pack.body(one), one.metadata)
                except InvalidKey as error:
                    refused[one.file.key] = error
                else:
                    there.append(one)
        refused.update(_durable(destination, pack, there, partial(lease.recheck, pair)))

    # Kept, since a put that straggles would land on a later message with its key.
    with lease.kept(pair), Pack.opened(services.spool, sealed.files) as pack:
        objects = iter(pack)
        for done in range(0, total, _AT_ONCE):
            services.progress(told, done, total)
            for _ in in_parallel(put, _by_key(islice(objects, _AT_ONCE)), PUTS):
                pass
    services.progress(told, total, total)
    _require_all(refused, total)


def _durable(
    destination: Destination, pack: Pack, there: Sequence[Packed], require_ours: Callable[[], None]
) -> Mapping[str, InvalidKey]:
    """Make objects durable; the keys that turn out to be of no use, such as those of folders.

    One by one if not all were named: a key is of no use, or another run was at it. It may have
    taken long until here: who has lost the lease must name nothing, over what is newer.
    """
    refused: dict[str, InvalidKey] = {}
    require_ours()
    try:
        destination.make_durable([one.file.key for one in there])
    except (InvalidKey, ObjectMissing):
        for one in there:
            require_ours()
            try:
                _put_again(pack, one, destination)
            except InvalidKey as error:
                refused[one.file.key] = error
    return refused


def _by_key(objects: Iterable[Packed]) -> Sequence[Sequence[Packed]]:
    """Shares for as many threads; objects of one key are in one of them, in their order."""
    shares: defaultdict[int, list[Packed]] = defaultdict(list)
    for one in objects:
        shares[hash(one.file.key) % PUTS].append(one)
    return list(shares.values())


def _require_all(refused: Mapping[str, InvalidKey], total: int) -> None:
    """Raise InvalidKey for keys that the store cannot hold; all other objects lie there by then."""
    if refused:
        first = refused[min(refused)]
        raise InvalidKey(
            f"{first.message} So it is with {len(refused)} keys; the others of {total} messages "
            "were put.",
            "Apply a key_template without such keys, then give up the plan with `cio-pipeline plan "
            "abandon`.",
        )


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
    destination.make_durable([one.file.key])
