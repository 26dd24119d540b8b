"""Two Celery workers serve a window in two shards; one of them loses power in the middle."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.defs.resources import LANE, SHARD
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.shards import parse_shard
from cio_pipeline.model.windows import Window, data_out_window
from cio_pipeline_tests.postgres import Cluster, running_cluster
from cio_pipeline_tests.waiting import until
from cio_pipeline_tests.workers.machines import Machines, running_redis
from cio_pipeline_tests.workers.silence import silent_for_long
from cio_pipeline_tests.world import QUARTER, World

SYNCS = {f"sync-{number:02}": number for number in range(1, 25)}
PEOPLE = 200
WORKERS = ("east", "west")
STARTED = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
ENDED = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])


@dataclass
class Deployment:
    """A world that Dagster serves from several machines; `closed` is the window to be sent."""

    world: World
    machines: Machines
    closed: Window

    def new_files(self, sync_id: str) -> int:
        return sum(name.endswith("_2.parquet") for name in self.world.names(sync_id))

    def settled(self) -> bool:
        states = self.world.ledger.registry.states(list(FEEDS[Feed.DATA_OUT]))
        return all(one.position and one.position.at >= self.closed.end for one in states)


def rows(name: str) -> list[dict[str, object]]:
    """The same people in each workspace, whatever is told of them."""
    return [
        {"internal_customer_id": f"{name}{number:03}", "workspace_id": workspace}
        for workspace in SYNCS.values()
        for number in range(PEOPLE)
    ]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as found:
        yield found


@pytest.fixture
def deployment(tmp_path: Path, cluster: Cluster) -> Iterator[Deployment]:
    """All syncs are served up to a window; in the next one, which is closed, all have changes."""
    served = data_out_window(datetime.now(UTC) - 2 * QUARTER)
    world = World(tmp_path / "world", cluster.new_schema(), now=served.start)
    for sync_id, workspace in SYNCS.items():
        place = {"type": "local", "path": str(world.folder(sync_id))}
        world.sync(sync_id, workspace, at=served.start, destination=place)
    world.commit("people", *rows("a"), at=served.start + timedelta(minutes=1))
    world.now = served.end
    world.run_window(served)
    closed = data_out_window(served.end)
    world.commit("people", *rows("b"), at=closed.start + timedelta(minutes=1))
    # An export that comes late in a run, and is still to be sent when its machine goes.
    world.commit("metrics", *deliveries(), at=closed.start + timedelta(minutes=1))
    with running_redis() as broker:
        shared = {
            "CIO_SOURCE": f"delta:{world.source_uri}",
            "CIO_LEDGER": world.ledger_url,
            "CIO_SHARDS": "2",
            "DAGSTER_CELERY_BROKER": broker,
            "DAGSTER_CELERY_BACKEND": broker,
        }
        machines = Machines(tmp_path, cluster, shared, ticks=2)
        try:
            yield Deployment(world, machines, closed)
        finally:
            machines.stop_all()
            world.ledger.close()


def deliveries() -> list[dict[str, object]]:
    return [
        {"event_id": f"e{number}", "workspace_id": workspace}
        for workspace in SYNCS.values()
        for number in range(PEOPLE)
    ]


def in_the_middle(found: Deployment, instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """A run that has delivered something of its window, and has not ended."""
    for run in instance.get_runs(STARTED):
        if run.tags.get(LANE) == "tick" and SHARD in run.tags:
            shard = parse_shard(run.tags[SHARD])
            if any(found.new_files(one) for one in SYNCS if shard.holds(one)):
                return run
    return None


def heir_of(instance: dg.DagsterInstance, dead: dg.DagsterRun) -> dg.DagsterRun | None:
    """A later run of the same shard that has ended."""
    later = (run for run in instance.get_runs(ENDED) if run.run_id != dead.run_id)
    return next((run for run in later if run.tags.get(SHARD) == dead.tags[SHARD]), None)


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_o8_d2_the_work_of_a_worker_that_is_gone_is_finished_by_another(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, machines = deployment, deployment.machines
    for name, value in machines.environment("test").items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        for name in WORKERS:
            machines.start_worker(name)
        machines.start_daemon()

        dead = until("files of a run", 240, lambda: in_the_middle(found, instance))
        lost = machines.worker_of(dead, instance)
        assert lost in WORKERS
        machines.kill(lost)
        (left,) = set(WORKERS) - {lost}
        shard = parse_shard(dead.tags[SHARD])
        mine = [one for one in SYNCS if shard.holds(one)]
        assert not any("2.manifest" in found.world.manifests(one) for one in mine)
        until(
            "the other shard",
            240,
            lambda: len(instance.get_runs(STARTED)) == 1 and instance.get_runs(ENDED),
        )
        # Redis still says so: nobody is left to say otherwise, hence our own ten minutes.
        run = instance.get_run_by_id(dead.run_id)
        assert run is not None
        assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        assert silent_for_long(instance, found.world.ledger, [dead.run_id]) == [dead.run_id]

        until("the heir", 300, lambda: found.settled() or None)
        heir = until("its end", 120, lambda: heir_of(instance, dead))
        assert machines.worker_of(heir, instance) == left
        until("the manifests", 120, lambda: not found.world.ledger.manifests.waiting().unput)
        require_once(found.world)


def require_once(world: World) -> None:
    expected = sorted(str(one["internal_customer_id"]) for one in rows("a") + rows("b"))
    for sync_id in SYNCS:
        people = world.read("people", sync_id)
        assert sorted(people["internal_customer_id"]) == sorted(set(expected))
        assert world.read("metrics", sync_id).height == PEOPLE
        report = world.verify(sync_id)
        assert report.ok, report
        assert report.warnings == ()
