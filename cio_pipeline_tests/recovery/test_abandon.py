"""D5, D6: an unfinished plan can be given up; the next run plans anew with fresh numbers."""

import pytest

from cio_pipeline.model.errors import InvalidConfig, LeaseLost, UnknownExport, UnknownSync
from cio_pipeline.model.plans import Series
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.recovery.loss import DieAfter, change, each_row_once, go_on
from cio_pipeline_tests.world import World, during, window


def die_after(world: World, effect: str) -> None:
    """Windows 0 and 1 are sent; the run of people in window 2 dies after an effect."""
    world.sync()
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    with pytest.raises(Crash):
        run_export(watched(world.services, DieAfter(effect), "dying"), "people", window(2), Scope())
    world.now += 2 * TTL


@pytest.mark.parametrize(
    ("effect", "removed", "void"),
    [
        ("plans.open", (), ()),
        ("plans.seal", (), ((Series.CHNGS, 2), (Series.PLAIN, 3))),
        (
            "destination.put",
            ("people_v5_chngs_1_2.parquet",),
            ((Series.CHNGS, 2), (Series.PLAIN, 3)),
        ),
    ],
)
def test_d5_what_it_put_is_removed_and_its_numbers_are_void(
    world: World,
    effect: str,
    removed: tuple[str, ...],
    void: tuple[tuple[Series, int], ...],
) -> None:
    die_after(world, effect)

    found = abandon(world.services, "a", "people")

    assert (found.removed, found.left, found.void) == (removed, (), void)
    go_on(world, [3])
    each_row_once(world, 4)
    assert not world.verify().warnings
    first_free = 4 if void else 3
    assert f"people_v5_1_{first_free}.parquet" in world.names()
    assert world.ledger.manifests.waiting().void == set()
    assert world.ledger.plans.delivered() == []


def test_d6_an_object_of_somebody_else_stays_and_is_named(world: World) -> None:
    die_after(world, "plans.seal")
    foreign = world.folder() / "people_v5_1_3.parquet"
    foreign.write_bytes(b"not ours")

    found = abandon(world.services, "a", "people")

    assert [key for key, _ in found.left] == ["people_v5_1_3.parquet"]
    assert foreign.read_bytes() == b"not ours"
    go_on(world, [3])
    each_row_once(world, 4)


@pytest.mark.parametrize("effect", ["destination.put", "plans.deliver"])
def test_d6_a_crash_while_it_is_abandoned_leaves_a_plan_to_resume(
    world: World, effect: str
) -> None:
    die_after(world, effect)
    with pytest.raises(Crash):
        abandon(watched(world.services, DieAfter("destination.delete"), "me"), "a", "people")
    world.now += 2 * TTL
    go_on(world, [3])
    each_row_once(world, 4)
    assert "people_v5_1_3.parquet" in world.names()


def test_d6_a_run_that_holds_it_is_named(world: World) -> None:
    die_after(world, "plans.open")
    world.ledger.leases.claim([("a", "people")], "run 7", world.now, TTL)
    with pytest.raises(LeaseLost, match="run 7"):
        abandon(world.as_run("me"), "a", "people")


def test_what_cannot_be_abandoned_is_told(world: World) -> None:
    world.sync()
    with pytest.raises(InvalidConfig, match="No plan of people"):
        abandon(world.services, "a", "people")
    with pytest.raises(UnknownExport, match="There is no export 'nothing'"):
        abandon(world.services, "a", "nothing")
    with pytest.raises(UnknownSync):
        abandon(world.services, "b", "people")


def test_o1_what_an_abandoned_plan_held_back_is_not_retried_from_before_it(world: World) -> None:
    """The row stands at the position as it was sent; the next plan holds its new state back."""
    world.sync(exports=["attributes"])
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    plan = {"attribute_name": "plan", "internal_customer_id": "x"}
    world.commit("attributes", {**plan, "attribute_value": '"gold"'}, at=during(0))
    assert world.run(0, "attributes")[0].rows == 1
    broken = {**plan, "attribute_value": "{broken", "timestamp": during(1)}
    world.commit("attributes", broken, at=during(1))
    world.now = window(1).end
    dying = watched(world.services, DieAfter("plans.seal"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "attributes", window(1), Scope())
    world.now += 2 * TTL
    abandon(world.services, "a", "attributes")

    assert sum(one.rows for one in retry_quarantine(world.services)) == 0

    (again,) = world.run(2, "attributes")
    assert (again.rows, again.quarantined) == (0, 1)
    assert len(world.ledger.quarantine.entries()) == 1
