"""ADR 20: an old window that is run again makes an asset fresh for Dagster; we name who is late."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.freshness_evaluator import TimeWindowFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest

from cio_pipeline.definitions import defs
from cio_pipeline.destinations.open import credentials_until
from cio_pipeline.model.findings import Severity
from cio_pipeline.pipeline.alerting.findings import findings
from cio_pipeline_tests.defs.running import dagster_on
from cio_pipeline_tests.world import World, window


def test_o1_an_old_window_run_again_is_fresh_for_dagster_and_late_for_us(world: World) -> None:
    world.sync("a", exports=["people"], owner="growth")
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=30))
    node: Any = SimpleNamespace(key=dg.AssetKey("people"), freshness_policy_or_from_metadata=policy)
    with dagster_on(world) as dagster:
        dagster.run(0, "people")
        world.now = window(12).end + timedelta(minutes=20)
        dagster.execute(window(0), [dg.AssetKey("people")], ["a"], {})
        context = cast("Any", LoadingContextForTest(dagster.instance))
        judged = TimeWindowFreshnessPolicyEvaluator().evaluate_freshness(context, node)
        assert asyncio.run(judged) is FreshnessState.PASS
    (late,) = findings(world.services, credentials_until, lambda _: 10**12)
    assert (late.check, late.sync_id, late.severity) == ("delayed_syncs", "a", Severity.ERROR)


def test_o1_no_asset_has_a_policy_that_would_mislead() -> None:
    assert not [one for one in defs.resolve_all_asset_specs() if one.freshness_policy]
