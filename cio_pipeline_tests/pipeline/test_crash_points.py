"""A run dies at each of its effects; the next one leaves every row once, and the chain whole."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.crashes import Crash, Fuse, fused
from cio_pipeline_tests.world import World, during

EXPORTS = ("people", "metrics", "attributes")


def prepare(world: World) -> None:
    """Two workspaces; a sync whose initial is done and one that is new; changes in window 1."""
    world.sync("a")
    for workspace in (1, 2):
        world.commit(
            "people",
            {"internal_customer_id": "old", "workspace_id": workspace},
            {"internal_customer_id": "kept", "workspace_id": workspace},
            at=during(0),
        )
    world.run(0, *EXPORTS)
    world.sync("b", 2)
    for workspace in (1, 2):
        world.commit(
            "people",
            {
                "internal_customer_id": "old",
                "workspace_id": workspace,
                "email": "new@x.example",
                "updated_at": during(1),
            },
            {"internal_customer_id": "new", "workspace_id": workspace},
            at=during(1),
        )
        world.commit("metrics", {"event_id": "m", "workspace_id": workspace}, at=during(1))
        world.commit(
            "attributes",
            *(
                {
                    "internal_customer_id": "kept",
                    "workspace_id": workspace,
                    "attribute_name": name,
                    "attribute_value": value,
                }
                for name, value in (("good", "1"), ("bad", "{"))
            ),
            at=during(1),
        )


def run(world: World, fuse: Fuse, owner: str) -> bool:
    """Run window 1; whether it got to the end."""
    try:
        world.run(1, *EXPORTS, services=fused(world.services, fuse, owner))
    except Crash:
        return False
    return True


def expected(world: World) -> None:
    people = {
        s: sorted(world.read("people", s).select("internal_customer_id", "series").rows())
        for s in "ab"
    }
    assert people["a"] == [
        ("kept", "plain"),
        ("new", "plain"),
        ("old", "chngs"),
        ("old", "plain"),
    ]
    assert people["b"] == [("kept", "plain"), ("new", "plain"), ("old", "plain")]
    for sync_id, workspace in (("a", 1), ("b", 2)):
        assert world.read("metrics", sync_id)["event_id"].to_list() == ["m"]
        assert world.read("attributes", sync_id)["attribute_name"].to_list() == ["good"]
        assert set(world.read("people", sync_id)["workspace_id"]) == {workspace}
        report = world.verify(sync_id)
        assert report.ok, report
        assert not report.warnings, report
        listed = sum(1 for _ in world.folder(sync_id).glob("*.parquet"))
        assert report.files == listed
    reasons = [(e.sync_id, e.reason, e.count) for e in world.ledger.quarantine.entries()]
    assert sorted(reasons) == [
        ("a", "attribute_value is not valid JSON", 1),
        ("b", "attribute_value is not valid JSON", 1),
    ]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("prepared"))
    prepare(world)
    return world


def effects(world: World) -> list[str]:
    """The names of all effects of an undisturbed run."""
    fuse = Fuse()
    assert run(world, fuse, "whole")
    expected(world)
    return fuse.names


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_d6_a_crash_at_any_effect_loses_and_doubles_nothing(
    tmp_path: Path, prepared: World, moment: str
) -> None:
    names = effects(prepared.copy(tmp_path / "whole"))
    assert len(names) > 40
    for at, name in enumerate(names, 1):
        world = prepared.copy(tmp_path / str(at))
        assert not run(world, Fuse(at, after=moment == "after"), "first"), f"{at} is no effect"
        world.now += TTL + timedelta(seconds=1)

        assert run(world, Fuse(), "second")

        try:
            expected(world)
        except AssertionError as error:
            raise AssertionError(f"died {moment} effect {at}, {name}") from error
        shutil.rmtree(world.root)
