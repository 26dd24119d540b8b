"""The sensor against a ledger and an instance: what it asks for, how often, and what it mends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from cio_pipeline.defs import sensors
from cio_pipeline.defs.runs import SILENCE, serves
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.run_export import deliver_export, plan_export
from cio_pipeline.pipeline.scheduling.schedule import FIRST_WAIT
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline_tests.defs.running import Dagster, dagster_on, defs_on, job_on, materialized
from cio_pipeline_tests.defs.test_job import break_sync, failures, people
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World, during, window

JUST_AFTER = timedelta(seconds=1)


@pytest.fixture
def dagster(world: World) -> Iterator[Dagster]:
    with dagster_on(world) as found:
        yield found


def keys(requests: list[dg.RunRequest]) -> list[str]:
    """What runs are asked for under, without when that was."""
    return [str(request.run_key).partition("@")[0] for request in requests]


def after(world: World, number: int) -> None:
    world.now = window(number).end + JUST_AFTER


def initial(world: World, dagster: Dagster) -> None:
    """A sync of `people` that was served in window 0."""
    world.sync("a", exports=["people"])
    people(world, 1)
    dagster.run(0, "people")


def test_without_a_sync_it_says_what_to_do(dagster: Dagster) -> None:
    requests, why = dagster.sense()
    assert requests == []
    assert why is not None
    assert "cio-pipeline sync apply" in why


def test_a_new_sync_gets_its_initial_run_which_settles_it(world: World, dagster: Dagster) -> None:
    world.sync("a", exports=["people"])
    people(world, 1)
    after(world, 0)

    (request,), _ = dagster.sense()

    assert keys([request]) == ["initial:2026-03-01-12:00:a:1"]
    assert request.partition_key == window(0).key
    assert request.tags["cio/lane"] == "initial"
    assert request.run_config["resources"]["scope"]["config"] == {"sync_ids": ["a"]}
    assert dagster.requested(request, "people").success
    assert world.names() == ["people_v5_1_1.parquet"]
    requests, why = dagster.sense()
    assert requests == []
    assert why is not None


def test_d6_after_an_outage_every_closed_window_gets_its_own_run(
    world: World, dagster: Dagster
) -> None:
    initial(world, dagster)
    people(world, 1, number=1, name="y")
    people(world, 1, number=3, name="z")
    after(world, 3)

    requests, _ = dagster.sense()

    assert keys(requests) == [f"tick:{window(number).key}:1" for number in (1, 2, 3)]
    for request in requests:
        assert dagster.requested(request, "people").success
    assert world.names()[-3:] == [f"people_v5_1_{number}.parquet" for number in (1, 2, 3)]
    assert dagster.sense()[0] == []
    assert world.verify().ok


def test_a_run_under_way_is_not_asked_for_again(world: World, dagster: Dagster) -> None:
    initial(world, dagster)
    after(world, 1)
    (request,), _ = dagster.sense()
    world.now += timedelta(minutes=10)
    run = dagster.unfinished(request, dg.DagsterRunStatus.NOT_STARTED)

    assert dagster.sense()[0] == []
    dagster.instance.report_run_failed(run)
    assert keys(dagster.sense()[0]) == [f"tick:{window(1).key}:2"]


ODD = (
    {"cio/lane": "fast"},
    {"cio/shard": "second"},
    {"dagster/partition": "2020-01-01-00:00"},
)


def test_o8_a_tag_that_says_nothing_fails_its_run_alone(world: World, dagster: Dagster) -> None:
    """Whoever launches a run by hand may write any: windows go on, before it ends and after."""
    initial(world, dagster)
    after(world, 1)
    job = job_on(dagster.services)
    by_hand = {"dagster/partition": window(0).key}
    runs = [
        dagster.instance.create_run_for_job(
            job, tags=by_hand | tags, status=dg.DagsterRunStatus.NOT_STARTED
        )
        for tags in ODD
    ]

    (request,), _ = dagster.sense()
    for run in runs:
        dagster.instance.report_run_failed(run)
    assert request.partition_key == window(1).key
    assert dagster.requested(request, "people").success
    assert dagster.sense()[0] == []


def test_o8_windows_are_asked_for_also_if_those_of_failed_runs_cannot_be_settled(
    world: World, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[str]:
        raise OSError("UNIQUE constraint failed")

    initial(world, dagster)
    after(world, 1)
    monkeypatch.setattr(sensors, "settle_covered", broken)
    assert keys(dagster.sense()[0]) == [f"tick:{window(1).key}:1"]


def test_a_lane_or_shard_that_there_is_not_is_refused_in_words(
    world: World, dagster: Dagster
) -> None:
    initial(world, dagster)
    for tag, told in (("lane", "The lanes are: tick"), ("shard", "There is no shard 'x'")):
        failed = dagster.run(1, "people", **{f"cio/{tag}": "x"})
        assert told in failures(failed)["people"]


def test_attempts_are_counted_and_wait(world: World, dagster: Dagster) -> None:
    """A run that was asked for and never came is asked for under a new key."""
    initial(world, dagster)
    after(world, 1)
    assert keys(dagster.sense()[0]) == [f"tick:{window(1).key}:1"]
    assert dagster.sense()[0] == []
    world.now += FIRST_WAIT
    assert keys(dagster.sense()[0]) == [f"tick:{window(1).key}:2"]
    world.now += FIRST_WAIT
    assert dagster.sense()[0] == []


def test_o8_a_ledger_that_counts_anew_asks_under_keys_of_its_own(
    world: World, dagster: Dagster
) -> None:
    """Dagster launches no key twice: those of an outage would keep the window from its runs."""
    initial(world, dagster)
    sync = world.ledger.registry.get("a").sync
    after(world, 1)
    (before,), _ = dagster.sense()
    assert before.run_key == f"tick:{window(1).key}:1@2026-03-01T12:30:01"
    world = without_ledger(world)
    rebuild(world.services, [sync])
    dagster.services = world.services

    world.now += FIRST_WAIT
    (request,), _ = dagster.sense()
    assert request.run_key == f"tick:{window(1).key}:1@2026-03-01T12:30:31"


def test_o8_a_window_in_which_a_sync_failed_is_settled_and_the_next_sends_it(
    world: World, dagster: Dagster
) -> None:
    world.sync("bad", 2, exports=["people"])
    people(world, 2)
    initial(world, dagster)
    people(world, 2, number=1, name="y")
    moved = world.folder("bad").rename(world.root / "aside")
    break_sync(world, "bad")
    after(world, 1)
    (request,), _ = dagster.sense()
    assert dagster.requested(request, "people").success
    world.now += timedelta(minutes=2)
    assert dagster.sense()[0] == []

    world.folder("bad").unlink()
    moved.rename(world.folder("bad"))
    close_breaker(world.ledger, "bad")
    after(world, 2)
    (request,), _ = dagster.sense()
    assert dagster.requested(request, "people").success
    assert world.read("people", "bad")["internal_customer_id"].to_list() == ["x", "y"]


def lose_a_manifest(world: World, dagster: Dagster) -> None:
    """In window 1 `people` delivers and `broadcasts` cannot be read, so no manifest is written."""
    world.sync("a", exports=["people", "broadcasts"])
    people(world, 1)
    dagster.run(0, "people", "broadcasts")
    people(world, 1, number=1, name="y")
    world.commit("broadcasts", {"broadcast_id": 1}, at=during(1))
    for lost in (Path(world.source_uri) / "broadcasts").rglob("*.parquet"):
        lost.unlink()
    after(world, 1)
    (request,), _ = dagster.sense()
    assert keys([request]) == [f"tick:{window(1).key}:1"]
    result = dagster.requested(request, "people", "broadcasts")
    assert not result.success
    assert "manifest" not in materialized(result)
    assert [one.kind for one in world.verify().warnings] == [ProblemKind.UNLISTED]


def test_d10_files_of_a_failed_run_get_a_manifest_at_once(world: World, dagster: Dagster) -> None:
    lose_a_manifest(world, dagster)

    (request,), _ = dagster.sense()

    assert keys([request]) == [f"manifest:{window(1).key}:a:1"]
    assert request.tags["cio/lane"] == "manifest"
    assert request.asset_selection == [dg.AssetKey("manifest")]
    result = dagster.requested(request)
    assert result.success
    assert materialized(result) == {"manifest"}
    assert world.manifests() == ["1.manifest", "2.manifest"]
    assert world.verify().ok
    assert world.verify().warnings == ()
    assert dagster.sense()[0] == []


def delivered(world: World) -> None:
    """A run that died before the end of its window."""
    world.sync("a", exports=["people"])
    people(world, 1)
    world.now = window(0).end
    batch = plan_export(world.services, "people", window(0), Scope())
    deliver_export(world.services, batch)
    assert world.manifests() == []


def test_d10_a_crash_before_the_commit_is_mended_by_the_same_window(
    world: World, dagster: Dagster
) -> None:
    delivered(world)
    (request,), _ = dagster.sense()
    assert keys([request]) == [f"initial:{window(0).key}:a:1"]
    names = world.names()
    assert dagster.requested(request, "people").success
    assert (world.names(), world.manifests()) == (names, ["1.manifest"])
    assert world.verify().ok
    assert dagster.sense()[0] == []


def test_d10_a_crash_between_commit_and_put_is_mended_without_a_new_window(
    world: World, dagster: Dagster
) -> None:
    """The window is settled by then: no tick would put its manifest."""
    delivered(world)
    lease, _ = world.ledger.leases.claim([("a", "people")], "dying", world.now, TTL)
    world.ledger.plans.commit(lease, world.ledger.plans.delivered(), window(0), world.now)
    world.ledger.leases.release(lease)
    assert world.manifests() == []

    (request,), _ = dagster.sense()
    assert request.tags["cio/lane"] == "manifest"
    assert dagster.requested(request).success
    assert world.verify().ok
    assert dagster.sense()[0] == []


def test_d10_manifests_wait_for_a_run_under_way(world: World, dagster: Dagster) -> None:
    lose_a_manifest(world, dagster)
    after(world, 2)
    (request,), _ = dagster.sense()
    assert keys([request]) == [f"tick:{window(2).key}:1"]
    world.now += timedelta(minutes=5)
    run = dagster.unfinished(request, dg.DagsterRunStatus.NOT_STARTED)
    assert dagster.sense()[0] == []
    dagster.instance.report_run_failed(run)
    world.ledger.attempts.next("tick", window(2).key, world.now)
    assert [one.tags["cio/lane"] for one in dagster.sense()[0]] == ["manifest"]


def test_a_run_whose_machine_went_down_is_ended(world: World, dagster: Dagster) -> None:
    request = dg.RunRequest(partition_key=window(0).key, tags={"cio/lane": "tick"})
    run = dagster.unfinished(request, dg.DagsterRunStatus.STARTED)
    dagster.instance.report_engine_event("Started process for run", run)
    died = world.now = datetime.now(UTC)
    holder = dagster.services.owned_by(f"run {run.run_id}")
    holder.ledger.leases.claim([("a", "people")], holder.owner, world.now, TTL)

    def status(later: timedelta) -> dg.DagsterRunStatus:
        world.now = died + later
        dagster.sense()
        found = dagster.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status

    assert status(SILENCE - timedelta(minutes=1)) is dg.DagsterRunStatus.STARTED
    holder.ledger.leases.claim([("a", "people")], holder.owner, world.now, TTL)
    assert status(SILENCE + timedelta(minutes=2)) is dg.DagsterRunStatus.STARTED
    assert status(SILENCE + TTL) is dg.DagsterRunStatus.FAILURE
    events = dagster.instance.all_logs(run.run_id)
    assert any("No sign of life" in str(event.message) for event in events)


def test_a_run_that_serves_no_feed_is_not_taken_for_dead_and_keeps_no_manifest_back(
    world: World, dagster: Dagster
) -> None:
    """A recount of a day, a load of the warehouse, somebody else's: long and silent."""
    lose_a_manifest(world, dagster)
    recount = job_on(dagster.services, "reconcile")
    run = dagster.instance.create_run_for_job(recount, status=dg.DagsterRunStatus.STARTED)

    assert [one.tags["cio/lane"] for one in dagster.sense()[0]] == ["manifest"]
    world.now = datetime.now(UTC) + 2 * SILENCE
    dagster.sense()
    found = dagster.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.STARTED


def test_a_run_of_chosen_assets_serves_their_feed(dagster: Dagster) -> None:
    job = defs_on(dagster.services).resolve_implicit_global_asset_job_def()
    chosen = {dg.AssetKey("messages"), dg.AssetKey(["messages", "manifest"])}
    some = job.get_subset(asset_selection=chosen)
    run = dagster.instance.create_run_for_job(some, asset_selection=frozenset(chosen))
    assert [feed for feed in Feed if serves(run, feed)] == [Feed.MESSAGES]
