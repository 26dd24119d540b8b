"""What the checks of a window look at: each fact is asked for once, for all syncs together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.looks import BucketLook
from cio_pipeline.model.registry import ExportState, Pair, RegisteredSync
from cio_pipeline.model.times import EARLIEST
from cio_pipeline.model.windows import Window, last_closed_window
from cio_pipeline.pipeline.checking.bucket_looks import look
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Scene:
    """One window of a feed, for all of its syncs or some."""

    services: Services
    window: Window
    feed: Feed
    sync_ids: Collection[str] | None = None

    @cached_property
    def registered(self) -> Sequence[RegisteredSync]:
        """The feed's syncs that are looked at, disabled ones, too."""
        syncs = self.services.ledger.registry.all(self.sync_ids)
        return [one for one in syncs if one.sync.feed is self.feed]

    @cached_property
    def syncs(self) -> Mapping[str, RegisteredSync]:
        """Those that are not disabled, by id."""
        return {one.sync.id: one for one in self.registered if one.disabled_at is None}

    @cached_property
    def stands(self) -> Mapping[Pair, datetime]:
        """Up to when each export was sent everything, of those that were sent anything."""
        return self.services.ledger.looks.stands(FEEDS[self.feed])

    @cached_property
    def exports_on(self) -> Sequence[tuple[RegisteredSync, str]]:
        """Each sync with each of its exports that is on."""
        return [
            (one, export)
            for one in self.syncs.values()
            for export in one.switches
            if export in FEEDS[self.feed] and one.sends(export)
        ]

    @cached_property
    def last_due(self) -> Mapping[Cadence, Window]:
        """By cadence the last window up to this one in which syncs were due."""
        end = self.window.end
        return {one: last_closed_window(end, one, self.feed) for one in self.feed.cadences}

    @cached_property
    def behind(self) -> Sequence[ExportState]:
        """How the exports stand of those syncs that may be behind what they were due.

        Who is served seldom is late between its windows, too.
        """
        due, stands = self.last_due, self.stands
        ids = {
            one.sync.id
            for one, export in self.exports_on
            if stands.get((one.sync.id, export), EARLIEST) < due[one.sync.cadence].end
        }
        found = self.services.ledger.registry.states(list(FEEDS[self.feed]), ids) if ids else ()
        return [state for state in found if state.on]

    @cached_property
    def failing(self) -> Mapping[Pair, Failing]:
        """What fails, and why."""
        return self.services.ledger.failing.all()

    @cached_property
    def errors(self) -> Mapping[Pair, str]:
        """What failed in this window, and still does."""
        covers = self.window.end
        return {pair: one.message for pair, one in self.failing.items() if one.covers(covers)}

    @cached_property
    def breakers(self) -> Mapping[str, Breaker]:
        """The breakers that are not in order."""
        return self.services.ledger.breakers.all()

    @cached_property
    def volumes_begun(self) -> datetime | None:
        """The end of the first day that volumes are known of."""
        return self.services.ledger.volumes.begun()

    @cached_property
    def looks(self) -> Mapping[str, BucketLook]:
        """The last look into each sync's bucket; named syncs are looked at now."""
        named = self.sync_ids is not None
        return look(self.services, self.feed, self.syncs, everywhere=named)

    @cached_property
    def now(self) -> datetime:
        """Our clock, once for all checks."""
        return self.services.clock()

    def owner(self, sync_id: str) -> str | None:
        """Whose sync it is (O3)."""
        return self.syncs[sync_id].sync.owner
