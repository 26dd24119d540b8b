"""Which syncs there are, what becomes of each, and which are left alone."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.history import Deed, Entry
from cio_pipeline.model.manifests import Manifest
from cio_pipeline.model.registry import ExportState, ExportSwitch, Lease, RegisteredSync
from cio_pipeline.model.sync import Sync


class Registry(Protocol):
    """Which syncs there are."""

    def all(self) -> Sequence[RegisteredSync]:
        """Every sync, by id."""
        ...

    def get(self, sync_id: str) -> RegisteredSync:
        """One sync; raises UnknownSync, naming the known ones."""
        ...

    def put(
        self,
        sync: Sync,
        exports: Mapping[str, ExportSwitch],
        at: datetime,
        deed: Deed | None = None,
        known: RegisteredSync | None = None,
    ) -> RegisteredSync:
        """Register a sync (created `at`, generation 1) or replace its configuration.

        The switches given are stored as they are; a sync that exists keeps created_at and
        generation. The `deed` becomes a line of its history, in the same transaction.
        Raises LeaseLost if the sync is not what is `known` any more.
        """
        ...

    def states(
        self, exports: Collection[str], sync_ids: Collection[str] | None = None
    ) -> Sequence[ExportState]:
        """The state of each (sync, export) among `exports` that the syncs carry a switch for.

        A bounded number of queries, however many syncs there are.
        """
        ...


class Changes(Protocol):
    """What happens to a sync as a whole (D7)."""

    def change(
        self,
        lease: Lease,
        known: RegisteredSync,
        to: RegisteredSync,
        deed: Deed,
        at: datetime,
        *,
        forgotten: Collection[str] = (),
        manifest: tuple[Manifest, bytes] | None = None,
    ) -> None:
        """Make a sync what it is `to` be, in one transaction with a line of its history.

        The lease holds all its pairs. `forgotten` exports lose their position, so they begin with
        all history again; `manifest` is stored with it, to begin a chain anew. Raises LeaseLost,
        also if the sync is not what is `known` any more; PositionMoved if a plan is unfinished.
        """
        ...


class History(Protocol):
    """Who did what to a sync."""

    def of(self, sync_id: str) -> Sequence[Entry]:
        """All lines of a sync, oldest first."""
        ...


class Breakers(Protocol):
    """Syncs whose destination failed in their last runs, or holds up others."""

    def all(self) -> Mapping[str, Breaker]:
        """The breakers there are, by sync id."""
        ...

    def put(self, changed: Sequence[Breaker]) -> None:
        """Keep breakers in place of what was kept of those syncs."""
        ...

    def close(self, sync_ids: Collection[str]) -> None:
        """Forget the breakers of syncs: they are in order, or somebody says that they are."""
        ...
