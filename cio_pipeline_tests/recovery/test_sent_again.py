"""First files that are sent again in slices, as of the very cut of the first ones."""

from dataclasses import replace
from typing import Any

import pytest

from cio_pipeline.pipeline.committing.put_manifests import put_manifests
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.upgrade import upgrade
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.lifecycle.doing import do
from cio_pipeline_tests.recovery.loss import DieAfter, backed_up, listed, restored, without_ledger
from cio_pipeline_tests.world import World, during, window


@pytest.mark.parametrize("how", ["rebuilt", "caught up"])
def test_d10_what_is_sent_again_goes_on_after_the_ledger_was_lost(world: World, how: str) -> None:
    """The slices of the first files, which were finished, are none of it."""

    def sliced(world: World) -> Any:
        return replace(world.services, slice_rows=2)

    sync = world.sync(exports=["metrics"])
    world.commit("metrics", *({"event_id": f"m{number}"} for number in range(8)), at=during(0))
    world.run(0, "metrics", services=sliced(world))
    do(world, upgrade, "metrics", services=sliced(world))
    backup = backed_up(world)
    with pytest.raises(Crash):
        world.run(1, "metrics", services=watched(sliced(world), DieAfter("plans.commit"), "dying"))
    world.now += TTL
    put_manifests(world.services, window(1), ["a"])

    world = without_ledger(world) if how == "rebuilt" else restored(world, backup)
    done = rebuild(world.services, [sync]) if how == "rebuilt" else catch_up(world.services)
    assert [one.error for one in done] == [None]
    for number in (1, 2):
        world.run(number, "metrics", services=sliced(world))
    assert listed(world, "metrics")["event_id"].value_counts()["count"].to_list() == [2] * 8
    report = world.verify()
    assert report.ok, report
