"""D6: a window whose run never started is green once a later one has sent what it would have."""

from collections.abc import Iterator

import dagster as dg
import pytest

from cio_pipeline.defs import covered
from cio_pipeline.defs.covered import COVERED, evaluations, settle_covered
from cio_pipeline.defs.feeds import export_key
from cio_pipeline.model.feeds import Feed
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline_tests.defs.running import Dagster, dagster_on, defs_on, job_on
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window


@pytest.fixture
def dagster(world: World) -> Iterator[Dagster]:
    with dagster_on(world) as found:
        yield found


def test_d6_it_is_settled_with_a_note_and_not_before(world: World, dagster: Dagster) -> None:
    world.sync(exports=["people"])
    world.commit("people", person("ann"), at=during(0))
    key, partition = export_key("people"), window(0).key
    job = job_on(dagster.services)
    run = dagster.instance.create_run_for_job(job, tags={"dagster/partition": partition})
    dagster.instance.report_run_failed(run, "User code server request timed out.")

    def settled() -> list[str]:
        states = world.ledger.registry.states(["people"])
        return [*settle_covered(dagster.instance, Feed.DATA_OUT, states, {})]

    assert settled() == []
    assert not dagster.instance.get_materialized_partitions(key)

    dagster.run(1, "people")

    assert settled() == [run.run_id]
    assert settled() == [], "once is enough"
    assert partition in dagster.instance.get_materialized_partitions(key)
    records = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
    (one,) = dagster.instance.fetch_materializations(records, limit=2).records
    assert one.asset_materialization is not None
    assert "a later window" in str(one.asset_materialization.description)
    again = dagster.instance.get_run_by_id(run.run_id)
    assert again is not None
    assert COVERED in again.tags


def test_d6_what_the_source_is_blamed_for_stays_yellow(world: World, dagster: Dagster) -> None:
    """The run of a window failed after its checks had warned; then a later window sent the rest."""
    world.sync(exports=["subjects"])
    world.commit("subjects", {"subject_name": "s", "seq_num": 5}, at=during(0))
    dagster.run(0, "subjects")
    world.commit("subjects", {"subject_name": "s", "campaign_id": 9, "seq_num": 5}, at=during(1))
    dagster.run(1, "subjects")
    partition = {"dagster/partition": window(1).key}
    job = job_on(dagster.services)
    run = dagster.instance.create_run_for_job(job, tags=partition)
    dagster.instance.report_run_failed(run, "User code server request timed out.")
    dagster.run(2, "subjects")
    states = world.ledger.registry.states(["subjects"])
    assert settle_covered(dagster.instance, Feed.DATA_OUT, states, {})
    assert checked(dagster, "subjects", window(1).key) == [False]
    assert checked(dagster, "people", window(1).key) == [True]


def test_d10_it_is_not_settled_while_a_manifest_of_it_could_not_be_put(
    world: World, dagster: Dagster
) -> None:
    """Positions are behind it by then, since the ledger has the manifest; readers do not."""
    world.sync(exports=["people"])
    world.commit("people", person("ann"), at=during(0))
    (world.folder() / "_cio").mkdir(parents=True)
    (world.folder() / "_cio" / "1.manifest").write_text("somebody's")
    dagster.run(0, "people")
    job = job_on(dagster.services)
    tags = {"dagster/partition": window(0).key}
    run = dagster.instance.create_run_for_job(job, tags=tags)
    dagster.instance.report_run_failed(run, "User code server request timed out.")

    def settled() -> list[str]:
        states, failing = world.ledger.registry.states(["people"]), world.ledger.failing.all()
        return [*settle_covered(dagster.instance, Feed.DATA_OUT, states, failing)]

    (state,) = world.ledger.registry.states(["people"])
    assert state.stands_at == window(0).end
    assert settled() == []
    (world.folder() / "_cio" / "1.manifest").unlink()
    close_breaker(world.ledger, "a")
    dagster.run(1, "people")
    assert settled() == [run.run_id]


def test_d6_without_a_sync_nothing_is_covered(dagster: Dagster) -> None:
    job = job_on(dagster.services)
    tags = {"dagster/partition": window(0).key}
    run = dagster.instance.create_run_for_job(job, tags=tags)
    dagster.instance.report_run_failed(run, "User code server request timed out.")
    assert not settle_covered(dagster.instance, Feed.DATA_OUT, [], {})


def checked(dagster: Dagster, export: str, partition: str) -> list[bool]:
    """What the checks of an export told of a window, the last first."""
    check = dg.AssetCheckKey(export_key(export), "delivered_to_every_due_sync")
    return [one.passed for one in evaluations(dagster.instance, check, partition)]


def test_d6_after_a_long_outage_all_of_its_windows_are_settled(
    world: World, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covered, "LOOKED_AT", 1)
    world.sync(exports=["people"])
    world.commit("people", person("ann"), at=during(0))
    job = job_on(dagster.services)
    failed: list[str] = []
    for number in range(3):
        tags = {"dagster/partition": window(number).key}
        run = dagster.instance.create_run_for_job(job, tags=tags)
        dagster.instance.report_run_failed(run, "User code server request timed out.")
        failed.append(run.run_id)
    dagster.run(3, "people")
    states = world.ledger.registry.states(["people"])
    settled = settle_covered(dagster.instance, Feed.DATA_OUT, states, {})
    assert sorted(settled) == sorted(failed)


def test_d6_a_window_whose_runs_failed_more_than_once_is_settled(
    world: World, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor asked again, or both shards failed; and then it dies while it settles them."""
    world.sync(exports=["people"])
    world.commit("people", person("ann"), at=during(0))
    job = job_on(dagster.services)
    tags = {"dagster/partition": window(0).key}

    def fail() -> str:
        run = dagster.instance.create_run_for_job(job, tags=tags)
        dagster.instance.report_run_failed(run, "User code server request timed out.")
        return run.run_id

    def settled() -> list[str]:
        states = world.ledger.registry.states(["people"])
        return sorted(settle_covered(dagster.instance, Feed.DATA_OUT, states, {}))

    failed = sorted(fail() for _ in range(2))
    dagster.run(1, "people")
    with monkeypatch.context() as patched:
        patched.setattr(dagster.instance, "add_run_tags", raising)
        with pytest.raises(OSError, match="died"):
            settled()
    assert settled() == failed
    assert all(checked(dagster, "people", window(0).key))
    again = fail()
    assert settled() == [again]
    assert all(checked(dagster, "people", window(0).key))


def test_d6_so_are_those_of_a_backfill_for_what_was_chosen_alone(
    world: World, dagster: Dagster
) -> None:
    """A backfill from the graph has runs of Dagster's own job, each of some assets."""
    world.sync(exports=["people"])
    world.commit("people", person("ann"), at=during(0))
    job = defs_on(dagster.services).resolve_implicit_global_asset_job_def()
    chosen = frozenset({export_key("people")})
    run = dagster.instance.create_run_for_job(
        job.get_subset(asset_selection=set(chosen)),
        asset_selection=chosen,
        tags={"dagster/partition": window(0).key},
    )
    dagster.instance.report_run_failed(run, "User code server request timed out.")
    dagster.run(1, "people")
    states = world.ledger.registry.states(["people"])
    assert settle_covered(dagster.instance, Feed.CALLS, states, {}) == []
    assert settle_covered(dagster.instance, Feed.DATA_OUT, states, {}) == [run.run_id]
    assert window(0).key in dagster.instance.get_materialized_partitions(export_key("people"))
    assert not dagster.instance.get_materialized_partitions(export_key("events"))


def raising(*_: object) -> None:
    raise OSError("died")


def test_d6_what_another_shard_sent_before_does_not_keep_a_window_red(
    world: World, dagster: Dagster
) -> None:
    world.sync(exports=["people"])
    world.commit("people", person("ann"), at=during(0))
    dagster.run(0, "people")
    key, partition = export_key("people"), window(0).key
    job = job_on(dagster.services)
    tags = {"dagster/partition": partition, "cio/shard": "2/2"}
    run = dagster.instance.create_run_for_job(job, tags=tags)
    dagster.instance.report_run_failed(run, "User code server request timed out.")
    assert red(dagster, key) == {partition}
    states = world.ledger.registry.states(["people"])
    assert settle_covered(dagster.instance, Feed.DATA_OUT, states, {}) == [run.run_id]
    assert red(dagster, key) == set()


def red(dagster: Dagster, key: dg.AssetKey) -> set[str]:
    """The partitions that the UI shows as failed."""
    storage = dagster.instance.event_log_storage
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    at = storage.get_latest_storage_id_by_partition(key, kind)
    planned = storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    )
    return {one for one, number in planned.items() if number > at.get(one, -1)}
