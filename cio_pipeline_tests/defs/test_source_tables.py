"""O1: source tables show rows, last commit and problems as observations."""

import dagster as dg
import pytest
from deltalake import DeltaTable

from cio_pipeline.defs.source_tables import look_at_sources
from cio_pipeline_tests.defs.running import Made
from cio_pipeline_tests.world import World, during


def looked(world: World, cursor: str | None = None) -> tuple[dict[str, dg.AssetObservation], str]:
    """What a look gives by table, and the cursor of the next one."""
    with dg.build_sensor_context(cursor=cursor, resources={"pipeline": Made(world.services)}) as on:
        found = look_at_sources(on)
    assert isinstance(found, dg.SensorResult)
    events = [one for one in found.asset_events if isinstance(one, dg.AssetObservation)]
    return {one.asset_key.path[-1]: one for one in events}, str(found.cursor)


def test_rows_last_commit_and_problems_are_shown_of_what_is_not_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIO_HOME", str(world.root))
    world.sync("a")
    world.commit("people", {"internal_customer_id": "p"}, at=during(0))
    world.now = during(1)
    found, cursor = looked(world)
    people = {name: one.value for name, one in found["people"].metadata.items()}
    assert len(found) > len({"people", "events"})
    assert (people["dagster/row_count"], people["version"]) == (1, 1)
    assert people["last_commit"] == during(0).timestamp()
    assert people["problems"] == "none"
    assert "last_commit" not in found["events"].metadata

    assert looked(world, cursor)[0] == {}
    table = DeltaTable(f"{world.source_uri}/events")
    table.alter.set_table_properties({"delta.enableChangeDataFeed": "false"})
    (events,) = looked(world, cursor)[0].values()
    assert "change feed is off" in str(events.metadata["problems"].value)


def test_a_source_that_is_away_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIO_HOME", str(world.root / "elsewhere"))
    context = dg.build_sensor_context(resources={"pipeline": Made(world.services)})
    assert isinstance(look_at_sources(context), dg.SkipReason)
