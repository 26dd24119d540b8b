"""Applying sync files and switching exports."""

from typing import Any

import pytest

from cio_pipeline.model.errors import InvalidConfig, UnknownExport, UnknownSync
from cio_pipeline.pipeline.lifecycle.switches import switch_exports
from cio_pipeline_tests.world import NOON, World


def on(world: World, sync_id: str = "a") -> set[str]:
    switches = world.ledger.registry.get(sync_id).switches
    return {name for name, switch in switches.items() if switch.enabled}


def test_d1_resuming_an_export_that_was_never_on_brings_what_comes_with_it(world: World) -> None:
    world.sync(exports=["people"])
    changed = switch_exports(world.ledger.registry, "a", ["campaigns"], NOON, on=True)
    assert set(changed.changed) == {"campaigns on", "actions on"}
    assert on(world) == {"people", "campaigns", "actions"}


def test_d1_pausing_one_of_a_pair_pauses_both(world: World) -> None:
    world.sync(exports=["objects", "people"])
    changed = switch_exports(world.ledger.registry, "a", ["object_types"], NOON, on=False)
    assert set(changed.changed) == {"objects off", "object_types off"}
    assert on(world) == {"people"}


def test_pausing_without_names_pauses_all_and_resuming_them_too(world: World) -> None:
    world.sync(exports=["people", "events"])
    registry = world.ledger.registry
    paused = switch_exports(registry, "a", [], NOON, on=False)
    assert set(paused.changed) == {"people off", "events off"}
    assert on(world) == set()
    switch_exports(registry, "a", [], NOON, on=True)
    assert on(world) == {"people", "events"}


def test_unknown_names_are_refused(world: World) -> None:
    world.sync(version=4)
    with pytest.raises(UnknownSync):
        switch_exports(world.ledger.registry, "b", [], NOON, on=True)
    with pytest.raises(UnknownExport):
        switch_exports(world.ledger.registry, "a", ["events"], NOON, on=True)


def test_d8_equal_and_enclosing_destinations_are_refused(world: World) -> None:
    world.sync("a", destination={"type": "local", "path": "tenant"})
    for path in ("tenant", "tenant/b", "./tenant", "other/../tenant"):
        with pytest.raises((InvalidConfig, ValueError)):
            world.sync("b", destination={"type": "local", "path": path})
    world.sync("c", destination={"type": "local", "path": "tenant-b"})


def test_what_files_were_sent_with_stays_for_the_life_of_a_sync(world: World) -> None:
    world.sync()
    changes: list[dict[str, Any]] = [
        {"version": 4},
        {"layout": "dated"},
        {"timestamp_unit": "ms"},
        {"stems": {"people": "persons"}},
    ]
    for change in changes:
        with pytest.raises(InvalidConfig, match=r"cannot (change|go back)"):
            world.sync(**change)
    world.sync(owner="someone@acme.example", cadence="1h")
    assert world.ledger.registry.get("a").sync.owner == "someone@acme.example"
