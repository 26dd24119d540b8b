"""What two verbs on one sync at once may come to: what one after the other does, or one alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.errors import CioError, DestinationUnavailable, LeaseLost
from cio_pipeline.model.history import Deed
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.verbs import VERBS
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.world import NOON, World, during, window

EXPORTS = ("people", "deliveries", "metrics")

Act = Callable[[World, Services, str], object]
"""Does something to a sync, and tells what it was told, without times and names."""


def verb(name: str, *exports: str) -> Act:
    (do,) = [one.do for one in VERBS if one.name == name]

    def act(world: World, services: Services, sync_id: str) -> object:
        told = do(services, Order(sync_id, world.now, services.owner, exports, sure=True))
        return told.changed, len(told.objects)

    return act


def applied(**fields: Any) -> Act:
    """A sync file with other fields; `path` is where the sync's folder lies."""

    def act(world: World, services: Services, sync_id: str) -> object:
        sync = world.ledger.registry.get(sync_id).sync
        new = dict(fields)
        if "path" in new:
            place = {"path": f"{new.pop('path')}/{sync_id}"}
            new["destination"] = sync.destination.model_copy(update=place)
        to = Sync.model_validate(sync.model_dump() | new)
        (told,) = apply_syncs(
            services,
            [to],
            lambda one: location(one.destination, world.root),
            world.now,
            services.owner,
        )
        return told.action, told.changes

    return act


def abandoned(_world: World, services: Services, sync_id: str) -> object:
    told = abandon(services, sync_id, "people")
    return told.state, len(told.removed), told.void


def window_run(_world: World, services: Services, sync_id: str) -> object:
    """A run is told nothing: what another holds is the next one's to do, see `Known.settled`."""
    for export in EXPORTS:
        run_export(services, export, window(1), Scope([sync_id]))
    commit_window(services, window(1), [sync_id])
    return None


ENABLED = {
    "pause": verb("pause", "people"),
    "apply": applied(owner="carl"),
    "move": applied(path="elsewhere"),
    "upgrade": verb("upgrade", "deliveries"),
    "disable": verb("disable"),
    "recreate": verb("recreate"),
    "abandon": abandoned,
    "run": window_run,
}
DISABLED = {
    "pause": verb("pause", "people"),
    "enable": verb("enable"),
    "purge": verb("purge"),
    "recreate": verb("recreate"),
}


class _WithoutPuts:
    """A destination that takes no file."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "put":
            raise DestinationUnavailable("It takes nothing.")
        return getattr(self._inner, name)


def prepare(world: World, workspaces: Sequence[int], *, disabled: bool) -> None:
    """A sync for each workspace: a window delivered, metrics paused, a sealed plan of people."""
    ids = [f"s{number}" for number in workspaces]
    on = {export: ExportSwitch(enabled=True) for export in EXPORTS}
    off = {**on, "metrics": ExportSwitch(enabled=False, paused_at=window(0).end)}
    told = {"version": 4, "exports": EXPORTS}
    for number, sync_id in zip(workspaces, ids, strict=True):
        place = {"type": "local", "path": f"bucket/{sync_id}"}
        sync = Sync.model_validate(
            {**told, "id": sync_id, "workspace_id": number, "destination": place}
        )
        world.ledger.registry.put(sync, on, NOON, Deed("ann", "apply"))
    keys = {"people": "internal_customer_id", "deliveries": "delivery_id", "metrics": "event_id"}
    for export, key in keys.items():
        rows = [{key: "first", "workspace_id": number} for number in workspaces]
        world.commit(export, *rows, at=during(0))
    world.run(0, *EXPORTS)
    for export in ("people", "deliveries"):
        rows = [{keys[export]: "next", "workspace_id": number} for number in workspaces]
        world.commit(export, *rows, at=during(1))
    world.now = window(1).end + timedelta(seconds=1)
    broken: Any = lambda sync: _WithoutPuts(world.services.destinations(sync))  # noqa: E731
    run_export(world.as_run("broken", destinations=broken), "people", window(1), Scope())
    world.ledger.breakers.close(ids)
    for sync_id in ids:
        world.ledger.registry.put(world.ledger.registry.get(sync_id).sync, off, NOON)
        if disabled:
            verb("disable")(world, world.services, sync_id)


def told_by(act: Act, world: World, services: Services, number: int) -> object:
    """What an act tells, or the kind of the error that it raises."""
    try:
        return act(world, services, f"s{number}")
    except LeaseLost:
        return REFUSED
    except CioError as error:
        return type(error).__name__


REFUSED = "refused"


def standing(world: World, number: int) -> object:
    """All that a sync is, in the ledger and in its buckets, without its own names."""
    sync_id = f"s{number}"
    registry = world.ledger.registry
    known = registry.get(sync_id)
    report = world.verify(sync_id)
    states = registry.states(EXPORTS, [sync_id])
    holders = [one for one in world.ledger.leases.holders(world.now) if one.sync_id == sync_id]
    return (
        known.sync.model_dump(exclude={"id", "workspace_id", "destination"}),
        (known.generation, known.disabled_at, known.first_manifest),
        {name: switch.enabled for name, switch in known.switches.items()},
        [
            (one.export, one.position and one.position.at, one.open_plan and one.open_plan.state)
            for one in states
        ],
        [dict(one.next_sequence) for one in states],
        sorted(entry.what for entry in registry.history(sync_id)),
        {place: _objects(world, place, number) for place in ("bucket", "elsewhere")},
        (world.ledger.breakers.all().get(sync_id), holders, report.problems),
    )


def _objects(world: World, place: str, number: int) -> list[str]:
    folder = world.root / place / f"s{number}"
    found = (path.relative_to(folder) for path in folder.rglob("*.parquet"))
    return sorted(str(path).replace(f"_{number}_", "_W_") for path in found)


Outcome = tuple[tuple[object, object], object]
"""What both were told, and what stands then."""


@dataclass
class Known:
    """Syncs to do something to, and what came of doing two things one after the other."""

    world: World
    acts: dict[str, Act]
    unused: list[int]
    found: dict[tuple[str, ...], Outcome] = field(default_factory=dict[tuple[str, ...], Outcome])

    def in_turn(self, *names: str) -> Outcome:
        """One or two of the acts, on a sync of their own."""
        if names not in self.found:
            number = self.unused.pop()
            runs = [self.world.as_run(who) for who in ("ann", "bob")]
            told = [
                told_by(self.acts[name], self.world, run, number)
                for name, run in zip(names, runs, strict=False)
            ]
            self.found[names] = (told[0], told[-1]), self.settled(number, names)
        return self.found[names]

    def settled(self, number: int, names: Sequence[str]) -> object:
        """What stands in the end: after a run that another held something of, comes the next."""
        if "run" in names:
            window_run(self.world, self.world.as_run("next"), f"s{number}")
        return standing(self.world, number)

    def allowed(self, one: str, other: str) -> Iterator[Outcome]:
        """What may come of both at once; who is refused has done nothing at all."""
        yield self.in_turn(one, other)
        (other_told, one_told), stands = self.in_turn(other, one)
        yield (one_told, other_told), stands
        for name, told in ((one, lambda its: (its, REFUSED)), (other, lambda its: (REFUSED, its))):
            (alone, _), stands = self.in_turn(name)
            yield told(alone), stands
