"""A column that was dropped and is there again: what waits for it is sent, once, by itself (O8)."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from cio_pipeline_tests.pipeline.test_failures import committed
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def migrate(world: World, without: str | None, number: int) -> None:
    """Write all rows of people anew, without a column or with it again, in a window."""
    folder = Path(world.source_uri) / "people"
    rows = pl.read_delta(str(folder))
    rows = (
        rows.drop(without, strict=False)
        if without
        else rows.with_columns(email=pl.lit("back@x.example"))
    )
    write_deltalake(
        folder,
        rows,
        mode="overwrite",
        schema_mode="overwrite",
        commit_properties=committed(during(number)),
    )


@pytest.mark.parametrize("sent_before", [True, False], ids=["changes", "first files"])
def test_o8_a_plan_that_no_version_can_fill_gives_way_once_the_table_is_mended(
    world: World, *, sent_before: bool
) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    if sent_before:
        world.run(0, "people")
    # In the second window nothing is written, in the third it is still as unfit.
    for number, written in ((1, True), (2, False), (3, True)):
        if written:
            migrate(world, "email", number)
        (outcome,) = world.run(number, "people")
        assert str(outcome.error).startswith("ColumnMismatch")
    migrate(world, None, 4)
    (outcome,) = world.run(4, "people")
    assert (outcome.error, outcome.rows) == (None, 1)
    assert world.run(5, "people") == ()
    assert [state.open_plan for state in world.ledger.registry.states(["people"], ["a"])] == [None]
    assert not world.ledger.failing.all()
    assert world.verify().ok
