"""D7: what the command line does to a sync can be launched from the UI, too."""

from typing import Any

import dagster as dg

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.lifecycle.verbs import VERBS
from cio_pipeline_tests.defs.running import QUIET, job_on
from cio_pipeline_tests.recovery.loss import go_on
from cio_pipeline_tests.world import World, during


def launch(
    world: World, verb: str, *, fails: bool = False, **config: Any
) -> dg.ExecuteInProcessResult:
    job = job_on(world.services, f"sync_{verb}")
    run_config = {"ops": {f"{verb}_sync": {"config": {"sync_id": "a", **config}}}, **QUIET}
    result = job.execute_in_process(run_config=run_config, raise_on_error=False)
    assert result.success is not fails
    return result


def test_d7_each_verb_is_a_job_with_a_line_in_the_history(world: World) -> None:
    world.sync(version=4, exports=["people", "metrics"])
    go_on(world, range(1))
    launch(world, "pause", exports=["people"])
    assert not world.ledger.registry.get("a").switches["people"].enabled
    launch(world, "resume")
    launch(world, "upgrade", exports=["metrics"])
    launch(world, "purge", fails=True, sure=True)
    launch(world, "disable")
    launch(world, "purge")
    assert world.names()
    launch(world, "purge", sure=True)
    assert not world.names()
    launch(world, "enable")
    result = launch(world, "recreate", sure=True)

    entries = world.ledger.registry.history("a")
    done = [entry.what.split()[0] for entry in entries if entry.who.startswith("Dagster run ")]
    assert done == ["pause", "resume", "upgrade", "disable", "purge", "enable", "recreate"]
    assert set(done) == {verb.name for verb in VERBS}
    assert entries[-1].who == f"Dagster run {result.run_id}"


def test_the_launchpad_of_each_verb_opens_with_an_example_that_does_no_harm(world: World) -> None:
    """All fields are there; a launch without a change names a sync that does not exist."""
    world.sync()
    for verb in VERBS:
        job = job_on(world.services, f"sync_{verb.name}")
        result = job.execute_in_process(raise_on_error=False)
        (step,) = result.get_failed_step_keys()
        data = result.failure_data_for_node(step)
        assert data is not None
        assert "UnknownSync" in str(data.error), verb.name


def test_a_refusal_fails_the_run_and_says_what_to_do(world: World) -> None:
    world.sync()
    result = launch(world, "purge", fails=True)
    (failed,) = result.get_failed_step_keys()
    data = result.failure_data_for_node(failed)
    assert data is not None
    assert data.error is not None
    assert data.error.cause is not None
    assert data.error.cause.cls_name == InvalidConfig.__name__
    assert "Disable it first" in data.error.cause.message


def test_d6_all_up_to_now_is_sent_from_the_ui(world: World) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "ann"}, at=during(0, 1))
    world.now = during(0, 2)
    job = job_on(world.services, "export_now")
    ops = {"ops": {"send_now": {"config": {"sync_ids": ["a"]}}}}
    assert job.run_config == {"ops": {"send_now": {"config": {"sync_ids": []}}}}
    assert job.execute_in_process(run_config=QUIET).success
    assert world.names() == ["people_v5_1_1.parquet"]
    assert job.execute_in_process(run_config={**ops, **QUIET}).success
    ops["ops"]["send_now"]["config"]["sync_ids"] = ["b"]
    assert not job.execute_in_process(run_config={**ops, **QUIET}, raise_on_error=False).success
    assert world.verify().ok
