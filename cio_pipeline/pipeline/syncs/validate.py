"""Trying out what syncs may do in their destinations (D8), before and between their windows."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.objects import Permission
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.ports import Destinations

_THREADS = 8


@dataclass(frozen=True)
class Validated:
    """What came of trying one sync's permissions."""

    sync_id: str
    feed: Feed
    permissions: tuple[Permission, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing that the sync needs."""
        return not any(one.granted is False and self.needs(one) for one in self.permissions)

    def needs(self, permission: Permission) -> bool:
        """Whether this sync cannot do without."""
        return permission.needed_by in self.feed.facts.needs


def validate(destinations: Destinations, syncs: Sequence[Sync]) -> list[Validated]:
    """Each sync's permissions, tried out side by side; what goes wrong with one is told of it."""

    def tried(sync: Sync) -> Validated:
        found: list[Permission] = []
        failure = caught(lambda: found.extend(destinations(sync).permissions()))
        if failure is not None:
            found = [
                Permission(
                    "reach the store",
                    granted=False,
                    needed_for="everything",
                    detail=failure.text,
                    next_step="Check its address: what answers there may be something else.",
                    needed_by="all",
                )
            ]
        return Validated(sync.id, sync.feed, tuple(found))

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="validate") as pool:
        return list(pool.map(tried, syncs))
