"""Windows in shards as Dagster shows them: several runs of a partition, none of which misleads."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from cio_pipeline.defs.manifest import FAILED_SYNCS
from cio_pipeline.defs.resources import SHARD
from cio_pipeline.model.shards import Shard
from cio_pipeline_tests.defs.running import Dagster, check, dagster_on, metadata
from cio_pipeline_tests.defs.test_job import break_sync, people
from cio_pipeline_tests.defs.test_sensor import after, keys
from cio_pipeline_tests.world import World, window

FIRST = Shard(1, 2)
SYNCS = {"acme": 1, "beta": 2, "gamma": 3}
"""Two of the first shard and one of the second."""


@pytest.fixture
def dagster(world: World) -> Iterator[Dagster]:
    """Syncs that are served up to window 0, and two shards from then on."""
    assert [one for one in SYNCS if FIRST.holds(one)] == ["acme", "gamma"]
    for sync_id, workspace in SYNCS.items():
        world.sync(sync_id, workspace, exports=["people"])
    people(world, *SYNCS.values())
    with dagster_on(world) as found:
        found.run(0, "people")
        found.services = replace(world.services, shards=2)
        people(world, *SYNCS.values(), number=1, name="y")
        after(world, 1)
        yield found


def judged(result: dg.ExecuteInProcessResult) -> tuple[bool, str, str]:
    found = check(result, "people")
    return found.passed, found.severity.value, str(found.description)


def failed_syncs(dagster: Dagster, result: dg.ExecuteInProcessResult) -> str | None:
    run = dagster.instance.get_run_by_id(result.run_id)
    assert run is not None
    return run.tags.get(FAILED_SYNCS)


def test_each_run_serves_its_shard_and_the_last_judges_the_window(
    world: World, dagster: Dagster
) -> None:
    first, second = dagster.sense()[0]
    at = window(1).key
    assert keys([first, second]) == [f"tick:{at}:1/2:1", f"tick:{at}:2/2:1"]
    assert [one.tags[SHARD] for one in (first, second)] == ["1/2", "2/2"]
    assert {one.tags["cio/lane"] for one in (first, second)} == {"tick"}
    waiting = dagster.unfinished(second, dg.DagsterRunStatus.NOT_STARTED)

    early = dagster.requested(first, "people")
    assert early.success
    assert [len(world.names(one)) for one in SYNCS] == [2, 1, 2]
    passed, severity, said = judged(early)
    # The other shard is not served yet: neither in order nor an error.
    assert (passed, severity) == (False, "WARN")
    assert "2 of 3 due syncs are in order. beta: " in said
    assert said.endswith("Under way: shard 2/2.")

    dagster.instance.delete_run(waiting.run_id)
    late = dagster.requested(second, "people")
    assert judged(late)[0]
    assert metadata(late, "people")["files"] == 1
    assert [len(world.manifests(one)) for one in SYNCS] == [2, 2, 2]
    assert all(world.verify(one).ok for one in SYNCS)
    assert dagster.sense()[0] == []


def test_a_shard_whose_run_failed_keeps_the_check_red_and_is_tried_by_itself(
    world: World, dagster: Dagster
) -> None:
    first, second = dagster.sense()[0]
    dead = dagster.unfinished(second, dg.DagsterRunStatus.STARTED)
    assert judged(dagster.requested(first, "people"))[1] == "WARN"
    dagster.instance.report_run_failed(dead)

    again = dagster.requested(first, "people")
    assert judged(again)[:2] == (False, "ERROR")
    world.now += timedelta(minutes=1)
    assert keys(dagster.sense()[0]) == [f"tick:{window(1).key}:2/2:2"]


def test_o8_each_run_names_the_failed_syncs_of_its_shard_and_no_check_hides_them(
    world: World, dagster: Dagster
) -> None:
    first, second = dagster.sense()[0]
    world.folder("acme").rename(world.root / "aside")
    break_sync(world, "acme")
    dagster.unfinished(second, dg.DagsterRunStatus.NOT_STARTED)

    red, green = dagster.requested(first, "people"), dagster.requested(second, "people")

    assert (failed_syncs(dagster, red), failed_syncs(dagster, green)) == ("acme", None)
    for one in (red, green):
        passed, severity, said = judged(one)
        assert (passed, severity) == (False, "ERROR")
        assert "acme: " in said
