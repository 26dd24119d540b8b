"""D6, D2: what an earlier build sealed or delivered, without ConvertedTypes, is never stuck."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from cio_pipeline.files import footers
from cio_pipeline.model.errors import Unreachable
from cio_pipeline.model.plans import PRODUCER
from cio_pipeline.pipeline.planning import plan_export
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline_tests.files.test_converted_types import in_footer
from cio_pipeline_tests.pipeline.failing import Broken
from cio_pipeline_tests.recovery.loss import change, go_on
from cio_pipeline_tests.world import World, during


@contextmanager
def earlier_build() -> Iterator[None]:
    """A build that left files as Polars writes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(footers, "_UNNAMED", re.compile(b"(?!)"))
        yield


def without_spool(world: World) -> None:
    for folder in world.services.spool.folders():
        world.services.spool.discard(folder)


def test_d6_a_plan_that_an_earlier_build_sealed_is_finished(world: World) -> None:
    for sync_id, workspace in (("a", 1), ("b", 1), ("c", 2)):
        world.sync(sync_id, workspace)
    change(world, 0)
    world.commit("people", {"internal_customer_id": "z", "workspace_id": 2}, at=during(0))
    with earlier_build():
        world.run(0, services=Broken(world, Unreachable("No."), ("a", "c")).services())
    without_spool(world)
    change(world, 1)
    world.ledger.breakers.close(["a", "c"])

    outcomes = world.run(1)

    assert [one.error for one in outcomes if one.error] == []
    for sync_id in "abc":
        assert world.verify(sync_id).ok
    # The breaker left the other exports of `a` and `c` for the next window.
    first = world.folder("a") / "metrics_v5_1_1_1.parquet"
    assert first.read_bytes() == (world.folder("b") / first.name).read_bytes()
    assert "TIMESTAMP_MICROS" not in in_footer(first).values()
    assert "TIMESTAMP_MICROS" in in_footer(world.folder("a") / "metrics_v5_1_2.parquet").values()


def test_d6_its_initial_export_goes_on_in_the_form_that_each_slice_was_sealed_in(
    world: World,
) -> None:
    sliced = replace(world.services, slice_rows=1)
    world.services = sliced
    world.sync()
    for number in range(3):
        world.commit("events", event(number), at=during(number))
    world.now = during(3)
    with earlier_build():
        world.run(3, "events", services=Broken(world, Unreachable("No.")).services())
    without_spool(world)
    world.ledger.breakers.close(["a"])

    assert [one.error for one in world.run(4, "events") if one.error] == []

    assert sorted(world.read("events")["event_id"]) == ["e0", "e1", "e2"]
    assert world.verify().ok


def event(number: int) -> dict[str, Any]:
    return {"event_id": f"e{number}", "processed_at": during(number)}


def test_d7_what_an_earlier_build_delivered_is_restored_as_it_was(world: World) -> None:
    world.sync()
    with earlier_build():
        go_on(world, range(2))
    go_on(world, [2])
    before = {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")}
    without_spool(world)
    for path in world.folder().glob("*.parquet"):
        path.unlink()

    assert [one.error for one in restore(world.services) if one.error] == []

    assert {p.name: p.read_bytes() for p in world.folder().glob("*.parquet")} == before
    assert world.verify().ok


def test_d6_a_plan_that_another_release_sealed_is_finished_and_restored(world: World) -> None:
    """Files name the release that planned them (D2), whichever finishes them."""
    for sync_id in "ab":
        world.sync(sync_id)
    change(world, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_export, "PRODUCER", "cio-pipeline 0.0.9")
        world.run(0, services=Broken(world, Unreachable("No."), ("a",)).services())
    without_spool(world)
    change(world, 1)
    world.ledger.breakers.close(["a"])
    assert [one.error for one in world.run(1) if one.error] == []
    first = world.folder("a") / "metrics_v5_1_1_1.parquet"
    assert first.read_bytes() == (world.folder("b") / first.name).read_bytes()
    assert pl.read_parquet_metadata(first)["cio.producer"] == "cio-pipeline 0.0.9"
    later = world.folder("a") / "metrics_v5_1_2.parquet"
    assert pl.read_parquet_metadata(later)["cio.producer"] == PRODUCER

    without_spool(world)
    lost = first.read_bytes()
    first.unlink()
    assert [one.error for one in restore(world.services)] == [None]
    assert first.read_bytes() == lost
