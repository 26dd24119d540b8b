from cio_pipeline.pipeline.syncs.validate import unknown_workspaces
from cio_pipeline_tests.world import World, during, window


def test_a_workspace_that_no_table_has_a_row_of_is_unknown(world: World) -> None:
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.commit("events", {"event_id": "e", "workspace_id": 2}, at=during(0))
    world.now = window(0).end
    assert unknown_workspaces(world.services, {1, 2, 3}) == {3}
