"""What an append-only table has already is left out of a load, counted and told."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.contracts.declare import TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.changesets.rows import snapshot
from cio_pipeline_tests.world import NOON, World

APPEND_ONLY = [t.name for t in SOURCE_TABLES.values() if t.kind is TableKind.APPEND_ONLY]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("CIO_SOURCE", f"delta:{tmp_path / 'source'}")
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    return World(tmp_path)


def row(table: str, number: int, workspace: int = 1) -> dict[str, Any]:
    """A row whose identity differs from others in its last column."""
    identity = SOURCE_TABLES[table].identity
    types = {one.name: one.type.value for one in SOURCE_TABLES[table].columns}
    values: dict[str, Any] = {"INTEGER": 1, "STRING": "same", "TIMESTAMP": NOON}
    found = {name: values[types[name]] for name in identity}
    last = identity[-1]
    values = {"INTEGER": number, "STRING": str(number), "TIMESTAMP": NOON.replace(minute=number)}
    return {**found, last: values[types[last]], "workspace_id": workspace}


def load(world: World, table: str, *rows: dict[str, Any], at: str = "2026-03-01T12:00") -> Any:
    file = world.root / "rows.parquet"
    snapshot(table, *rows).collect().write_parquet(file)
    words = ["source", "load", table, str(file), "--at", at, "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_file_that_is_loaded_again_changes_nothing(world: World, table: str) -> None:
    first = load(world, table, row(table, 1), row(table, 2))
    assert (first["rows"], first["known"], first["version"]) == (2, 0, 1)
    again = load(world, table, row(table, 1), row(table, 2))
    assert (again["rows"], again["known"], again["version"]) == (0, 2, 1)
    more = load(world, table, row(table, 1), row(table, 3), row(table, 3), row(table, 1, 2))
    assert (more["rows"], more["known"], more["version"]) == (2, 2, 2)
    identity = list(SOURCE_TABLES[table].identity)
    there = pl.DataFrame(
        DeltaTable(f"{world.source_uri}/{table}").to_pyarrow_table(columns=identity)
    )
    assert there.height == 4
    assert there.is_unique().all()


def test_events_of_a_file_that_is_loaded_again_are_sent_once(world: World) -> None:
    world.sync(exports=["events"])
    rows = [row("events", n) for n in (1, 2)]
    load(world, "events", *rows, at="2026-03-01T12:01")
    world.run(0, "events")
    load(world, "events", *rows, row("events", 3), at="2026-03-01T12:16")
    world.run(1, "events")
    files = list(world.folder("a").glob("events_*.parquet"))
    sent = pl.concat([pl.read_parquet(file, columns=["event_id"]) for file in files])
    assert sorted(sent["event_id"]) == ["1", "2", "3"]


def test_a_table_of_ones_own_with_narrower_integers_is_compared_too(world: World) -> None:
    rows = snapshot("events", row("events", 1)).collect()
    narrow = rows.with_columns(pl.col("workspace_id").cast(pl.Int32))
    path = Path(world.source_uri) / "events"
    shutil.rmtree(path)
    on = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, narrow, configuration=on)
    again = load(world, "events", row("events", 1), row("events", 2))
    assert (again["rows"], again["known"]) == (1, 1)


def test_the_command_tells_how_many_were_there_already(world: World) -> None:
    load(world, "events", row("events", 1))
    words = ["source", "load", "events", str(world.root / "rows.parquet")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "1 more were there already." in done.stdout
