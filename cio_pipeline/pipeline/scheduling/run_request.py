"""A run that the sensor asks for, and what it must know to ask."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.shards import Shard
from cio_pipeline.model.windows import FIRST_WINDOW, Window


@dataclass(frozen=True)
class Request:
    """A run of a feed that is wanted.

    `keys` are what the ledger counts attempts by: the window of a tick, the syncs of another
    run. A run key that any earlier run had is never launched again, hence the attempt in it.
    `shard` is the part of all syncs that a tick serves (None: all).
    """

    lane: Lane
    window: Window
    keys: tuple[str, ...]
    attempt: int
    feed: Feed = Feed.DATA_OUT
    shard: Shard | None = None

    @property
    def sync_ids(self) -> tuple[str, ...]:
        """The syncs that the run is limited to; empty means all, or all of its shard."""
        return () if self.lane is Lane.TICK else self.keys

    @property
    def run_key(self) -> str:
        """`lane:window:attempt`, with the shard or the first sync unless the run serves all.

        Each feed has a sensor of its own, and run keys are a sensor's, which adds when it asked.
        """
        shard = () if self.shard is None or self.sync_ids else (self.shard,)
        parts = (self.lane, self.window.key, *shard, *self.sync_ids[:1], self.attempt)
        return ":".join(str(part) for part in parts)


@dataclass(frozen=True)
class Seen:
    """What the sensor knows beside the states.

    `errors` are the pairs that fail. `attempts` maps (lane, key) to number and
    time of the last attempt. `running` are the (lane, key) of unfinished runs; runs that serve
    all syncs have their window as key. `uncommitted` are the syncs that have delivered plans,
    or manifests that their bucket lacks. `breakers` are those that are not in order, by sync.
    No run can be asked for of a window before `first`.
    """

    errors: Mapping[Pair, Failing]
    attempts: Mapping[tuple[Lane, str], tuple[int, datetime]]
    running: Collection[tuple[Lane, str]]
    uncommitted: Collection[str] = frozenset()
    breakers: Mapping[str, Breaker] = field(default_factory=dict[str, Breaker])
    first: datetime = FIRST_WINDOW

    def open(self, sync_id: str, now: datetime) -> bool:
        """Whether the sync is left alone, so that a run of its own would be in vain."""
        breaker = self.breakers.get(sync_id)
        return breaker is not None and breaker.open(now)

    def slow(self, sync_id: str, now: datetime) -> bool:
        """Whether the sync is served by runs of its own."""
        breaker = self.breakers.get(sync_id)
        return breaker is not None and breaker.slow(now)


def tick_key(window: Window, feed: Feed, shard: Shard | None = None) -> str:
    """What attempts of a window are counted by: windows of two feeds may start together."""
    whole = f"{feed.facts.prefix}{window.key}"
    return f"{whole} {shard}" if shard else whole
