"""D7, O6: a warehouse whose sync was moved from one place to another."""

import json
from contextlib import closing
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import (
    WarehouseUnusable,
)
from cio_pipeline.reader import Feed
from cio_pipeline.reader.warehouse import database
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.pipeline.buckets import Bucket
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.reader.compared import rows
from cio_pipeline_tests.world import World, during


def test_d7_a_sync_that_was_moved_goes_on_in_its_schema_and_no_place_is_left_out(
    world: World, db: Any
) -> None:
    world.sync(exports=("people",))
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    old, new = world.folder(), world.root / "elsewhere"
    load(db, old)
    for number, place in ((1, "elsewhere"), (2, "bucket/a")):
        world.sync(
            exports=("people",),
            destination={"type": "local", "path": place},
            at=during(number),
        )
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
    assert "was moved here" in Feed(new).unproven[0]
    with pytest.raises(WarehouseUnusable, match="from 2 to 3 lie in another place"):
        load(db, old)
    load(db, new)
    load(db, old)
    assert rows(db, "a.people_newest")["customer_id"].to_list() == ["ann", "p1", "p2"]
    with closing(duckdb.connect()) as other:
        database.prepare(other)
        for _ in range(2):
            assert "was moved here" in str(load(other, new).unproven)


def test_d7_what_one_call_rebuilds_of_a_place_it_does_not_drop_for_the_next(
    world: World, bucket: Bucket
) -> None:
    """A sync that was moved is rebuilt of both places; another one of its name is named."""
    for number, place in ((0, "bucket/a"), (1, "elsewhere")):
        destination = {"type": "local", "path": place}
        world.sync(exports=("people",), destination=destination, at=during(number))
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
    for ordinal in (1, 2, 3):
        bucket.rewrite(ordinal, sync_id="a")
    into, places = world.root / "w.duckdb", (world.folder(), world.root / "elsewhere", bucket.root)
    command = ["warehouse", "load", *map(str, places), "--into", str(into), "--rebuild", "--json"]
    for _ in range(2):
        told = json.loads(CliRunner().invoke(app, command).stdout)
        assert [one["files"] for one in told["loaded"]] == [1, 1]
        assert "'a' holds workspace 1" in told["failed"][0]["error"]
        with database.opened(into) as db:
            assert rows(db, "a.people_newest")["customer_id"].to_list() == ["p0", "p1"]


@pytest.mark.parametrize("rebuild", [True, False])
@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("broken", [1, 2])
def test_d7_what_a_place_lacks_is_not_made_good_by_the_next_one(
    world: World, *, broken: int, loaded: bool, rebuild: bool
) -> None:
    """A sync was moved: after its old place failed, the new one neither drops nor begins."""
    for number, place in ((0, "bucket/a"), (1, "bucket/a"), (2, "elsewhere")):
        destination = {"type": "local", "path": place}
        world.sync(exports=("people",), destination=destination, at=during(number))
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
    into, places = world.root / "w.duckdb", (world.folder(), world.root / "elsewhere")
    command = ["warehouse", "load", *map(str, places), "--into", str(into), "--json"]
    if loaded:
        CliRunner().invoke(app, command)
    manifest = world.folder() / "_cio" / f"{broken}.manifest"
    body = manifest.read_bytes()
    manifest.write_bytes(body[:-9])
    told = json.loads(CliRunner().invoke(app, [*command, *["--rebuild"] * rebuild]).stdout)
    if rebuild or not loaded:
        assert "another place" in told["failed"][1]["error"]
    manifest.write_bytes(body)
    assert CliRunner().invoke(app, command).exit_code == 0
    with database.opened(into) as db:
        names = rows(db, "a.people_newest")["customer_id"].to_list()
    assert names == ["p0", "p1", "p2"]


def test_d7_a_place_that_lies_before_what_was_loaded_is_named(world: World, db: Any) -> None:
    """It was told as "none new", though nothing of it was ever loaded."""
    for number, place in ((0, "bucket/a"), (1, "elsewhere")):
        destination = {"type": "local", "path": place}
        world.sync(exports=("people",), destination=destination, at=during(number))
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
    load(db, world.root / "elsewhere")
    with pytest.raises(WarehouseUnusable, match="Manifest 1 was never loaded into 'a'"):
        load(db, world.folder())
