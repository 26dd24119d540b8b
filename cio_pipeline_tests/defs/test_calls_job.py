"""C1: the calls' assets are planned by their body and sent by the IO manager, all types at once."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.defs.feeds import SHOWN, call_key
from cio_pipeline.defs.sensors import scope_config
from cio_pipeline.model.feeds import Feed
from cio_pipeline_tests.calls.steps import call_row, calls_sync, commit, names, window
from cio_pipeline_tests.defs.running import QUIET, Dagster, dagster_on, job_on
from cio_pipeline_tests.world import NOON, World


@pytest.fixture
def dagster(world: World) -> Iterator[Dagster]:
    with dagster_on(world) as found:
        yield found


def run(dagster: Dagster, number: int) -> dg.ExecuteInProcessResult:
    at = window(number)
    dagster.world.now = max(dagster.world.now, at.end + timedelta(seconds=1))
    job = job_on(dagster.services, SHOWN[Feed.CALLS].job)
    return job.execute_in_process(
        instance=dagster.instance,
        partition_key=at.key,
        run_config={**scope_config([]), **QUIET},
        raise_on_error=False,
    )


def materialised(result: dg.ExecuteInProcessResult) -> dict[tuple[str, ...], dict[str, object]]:
    return {
        tuple(event.asset_key.path): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def test_each_type_is_materialised_with_its_own_numbers_and_all_are_sent_once(
    world: World, dagster: Dagster
) -> None:
    calls_sync(world)
    first, second = CALL_TYPES[:2]
    at = NOON + timedelta(minutes=1)
    commit(world, call_row(first, {"n": 1}), call_row(first, {"n": 2}), at=at)
    commit(world, call_row(second, {"n": 3}), call_row(None, "no json"), at=at)

    result = run(dagster, 0)

    assert result.success
    found = materialised(result)
    numbers = {kind: found[tuple(call_key(kind).path)] for kind in CALL_TYPES}
    assert {kind: (one["files"], one["rows"]) for kind, one in numbers.items() if one["rows"]} == {
        first: (1, 2),
        second: (1, 1),
    }
    assert {kind: one["rows_quarantined"] for kind, one in numbers.items()} == {
        kind: int(kind == first) for kind in CALL_TYPES
    }
    assert {one["syncs_sent"] for one in numbers.values()} == {1}
    assert len(names(world)) == 2
    assert world.verify().ok


def test_o8_types_of_calls_fail_together_if_no_sync_can_be_served(
    world: World, dagster: Dagster
) -> None:
    calls_sync(world)
    commit(world, call_row(CALL_TYPES[0], {"n": 1}), at=NOON + timedelta(minutes=1))
    world.folder("a").parent.mkdir(exist_ok=True)
    world.folder("a").write_text("in the way")

    result = run(dagster, 0)

    assert not result.success
    assert not set(materialised(result)) & {tuple(call_key(kind).path) for kind in CALL_TYPES}
    world.folder("a").unlink()
    world.ledger.breakers.close(["a"])
    assert run(dagster, 1).success
    assert len(names(world)) == 1
