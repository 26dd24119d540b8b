"""Keeping a run's lease alive while it works, and giving it back."""

import threading
from collections.abc import Collection
from datetime import timedelta

from cio_pipeline.model.errors import CioError
from cio_pipeline.model.registry import Lease
from cio_pipeline.pipeline.ports import Clock, Leases, Pair

TTL = timedelta(minutes=5)
"""How long a lease outlives the last heartbeat of its run."""


class HeldLease:
    """A lease that a thread renews until it is released.

    A run that loses it learns so at the next check: `leases.check` and every write to the ledger
    compare the fencing token, the heartbeat only keeps others from taking over.
    """

    def __init__(self, leases: Leases, lease: Lease, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock
        self._stop = threading.Event()
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
        """Raise LeaseLost if another run has taken over the pair."""
        self._leases.check(self.lease, pair)

    def release(self) -> None:
        """Stop the heartbeat and give the pairs back."""
        self._stop.set()
        if self.lease.tokens:
            self._thread.join()
            self._leases.release(self.lease)


def pairs_of(export: str, sync_ids: Collection[str]) -> list[Pair]:
    """The (sync, export) pairs of some syncs."""
    return [(sync_id, export) for sync_id in sync_ids]
