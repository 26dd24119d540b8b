"""Destinations that fail, and what a breaker then says of sync `a`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination
from cio_pipeline_tests.world import World, during


@dataclass
class Broken:
    """Destinations of some syncs raise an error at each call; the calls are counted."""

    world: World
    error: CioError
    sync_ids: tuple[str, ...] = ("a",)
    calls: list[str] = field(default_factory=list)

    def __call__(self, sync: Sync) -> Destination:
        if sync.id not in self.sync_ids:
            return self.world.services.destinations(sync)
        return _Raising(lambda: self.calls.append(sync.id), self.error)  # type: ignore[return-value]

    def services(self, run: str = "run 1") -> Services:
        return self.world.as_run(run, destinations=self)


@dataclass
class _Raising:
    told: Callable[[], None]
    error: CioError

    def __getattr__(self, name: str) -> object:
        self.told()
        raise self.error


def people(world: World, number: int, name: str) -> None:
    """Commit a person to two workspaces in a window."""
    for workspace in (1, 2):
        row = {"internal_customer_id": name, "workspace_id": workspace}
        world.commit("people", row, at=during(number))


def breaker(world: World) -> Breaker:
    """The breaker of sync `a`."""
    return world.ledger.breakers.all()["a"]
