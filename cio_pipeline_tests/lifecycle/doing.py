"""Verbs in the life of sync `a` of a world, and what a reader who follows its manifests gets."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.pipeline.lifecycle.apply import Applied, apply_syncs
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.world import World

EVERY = 4
"""Of the effects of a verb, every so many is one to die at: all of them cost too much."""

Do = Callable[[Services, Order], Report]


def do(
    world: World, verb: Do, *exports: str, at: datetime | None = None, sure: bool = True, **as_: Any
) -> Report:
    """Do something to sync `a` now, or at a time."""
    services = as_.get("services", world.services)
    return verb(services, Order("a", at or world.now, "ann", exports, sure))


def standing(world: World) -> RegisteredSync:
    return world.ledger.registry.get("a")


def numbers(world: World, stem: str) -> list[str]:
    """The names of an export's files, without stem and suffix."""
    return [
        name.removeprefix(f"{stem}_v5_").removesuffix(".parquet")
        for name in world.names()
        if name.startswith(f"{stem}_v5_")
    ]


def move(world: World, path: str, services: Services | None = None) -> Applied:
    """Give sync `a` another folder."""
    sync = standing(world).sync
    to = sync.model_copy(update={"destination": sync.destination.model_copy(update={"path": path})})
    return apply_syncs(
        services or world.services,
        [to],
        lambda one: location(one.destination, world.root),
        world.now,
        "ann",
    )[0]
