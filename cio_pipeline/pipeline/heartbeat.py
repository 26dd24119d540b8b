"""Keeping a run's lease alive while it works, and giving it back."""

import threading
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from cio_pipeline.ledger.leases import Leases
from cio_pipeline.model.errors import CioError, LeaseHeld, LeaseLost
from cio_pipeline.model.registry import Lease, LeaseHolder, Pair
from cio_pipeline.model.times import Clock
from cio_pipeline.pipeline.services import Services

TTL = timedelta(minutes=5)
"""How long a lease outlives the last heartbeat of its run."""

RECENT = timedelta(seconds=1)
"""How old the ledger's answer may be with which something is put.

Nobody takes a lease over before TTL has passed since its last heartbeat: a run that was held up for
that long finds the answer too old.
"""


class HeldLease:
    """A lease that a thread renews until it is released.

    A run that loses it learns so at the next check: `leases.lost` and every write to the ledger
    compare the fencing token, the heartbeat only keeps others from taking over.

    Pairs that somebody still works on when it is released (`kept`) are given back afterwards.
    """

    def __init__(self, leases: Leases, lease: Lease, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock
        self._stop = threading.Event()
        self._changing = threading.Lock()
        self._kept: set[Pair] = set()
        self._released = False
        self._asking = threading.Lock()
        self._asked_at: datetime | None = None
        self._lost: Mapping[Pair, LeaseLost] = {}
        self.lease = lease
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        if lease.tokens:
            self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(TTL.total_seconds() / 5):
            try:
                self._leases.renew(self.lease, self._clock(), TTL)
            except CioError:
                # A lost lease cannot be renewed, a busy ledger is asked again in a minute; either
                # way the fencing token decides at the next write.
                continue

    def check(self, pair: Pair) -> None:
        """Raise LeaseLost if another run has taken over the pair, or if it was given up."""
        if self._released:
            raise LeaseLost("The run did not wait for this any longer.", "The next one goes on.")
        lost = self._leases.lost(self.lease, [pair])
        if lost:
            raise lost[pair]

    def recheck(self, pair: Pair) -> None:
        """The same, from a RECENT answer: one statement serves all who ask within that time."""
        if self._released or pair not in self.lease.tokens:
            self.check(pair)
        with self._asking:
            now = self._clock()
            if self._asked_at is None or abs(now - self._asked_at) > RECENT:
                self._lost = self._leases.lost(self.lease, self.lease.tokens)
                self._asked_at = now
            lost = self._lost.get(pair)
        if lost is not None:
            raise lost

    @contextmanager
    def kept(self, pair: Pair) -> Generator[None]:
        """Keep a pair from other runs until this ends, even if the run does not wait for it.

        For work that would do harm next to that of a later run. Raises LeaseLost as `check`.
        """
        with self._changing:
            self.check(pair)
            self._kept.add(pair)
        try:
            yield
        finally:
            with self._changing:
                self._kept.discard(pair)
                if self._released:
                    self._give_back()

    def stop(self) -> None:
        """Stop the heartbeat and keep the pairs: for whoever takes the lease up within TTL."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def release(self) -> None:
        """Give the pairs back and stop the heartbeat, but for pairs that are kept."""
        with self._changing:
            self._released = True
            self._give_back()

    def _give_back(self) -> None:
        """What is not kept; whatever was given back before is no longer the lease's."""
        tokens = self.lease.tokens
        free = replace(self.lease, tokens={p: t for p, t in tokens.items() if p not in self._kept})
        self.lease = replace(self.lease, tokens={p: tokens[p] for p in self._kept})
        if not self._kept:
            self.stop()
        if free.tokens:
            self._leases.release(free)


@contextmanager
def claimed(
    services: Services, pairs: Collection[Pair]
) -> Generator[tuple[HeldLease, Sequence[LeaseHolder]]]:
    """Hold those of some pairs that are free until this ends; and who has the others."""
    now = services.clock()
    lease, busy = services.ledger.leases.claim(pairs, services.owner, now, TTL)
    with taken_up(services, lease) as held:
        yield held, busy


@contextmanager
def all_claimed(services: Services, pairs: Collection[Pair]) -> Generator[HeldLease]:
    """Hold some pairs until this ends; raises LeaseHeld, naming the run that has one."""
    with claimed(services, pairs) as (held, busy):
        if busy:
            raise held_by(busy[0])
        yield held


@contextmanager
def taken_up(services: Services, lease: Lease, *, hand_on: bool = False) -> Generator[HeldLease]:
    """Keep a lease alive until this ends, then give it back.

    Unless it fails, `hand_on` leaves it to whoever takes it up then: if nobody does, it expires, as
    after a crash. What was lost since it was claimed is told by the first check of it, and by every
    write.
    """
    now = services.clock()
    if lease.tokens and lease.expires_at - now < TTL / 2:
        # Whoever puts what may harm others looks at the lease only now and then (`kept`).
        with suppress(LeaseLost):
            services.ledger.leases.renew(lease, now, TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        yield held
    except BaseException:
        held.release()
        raise
    if hand_on:
        held.stop()
    else:
        held.release()


def held_by(holder: LeaseHolder) -> LeaseHeld:
    """The error for a pair that another run works on."""
    return LeaseHeld(
        f"{holder.export} of sync '{holder.sync_id}' is being worked on by {holder.owner}, "
        f"until {holder.expires_at:%H:%M:%S} UTC unless it goes on.",
        "Do it again when it has ended, or stop it and wait until then.",
    )
