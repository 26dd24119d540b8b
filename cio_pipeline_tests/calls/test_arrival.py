"""C3: within a window, rows are in the order in which they arrived: by commit, then by place."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.contracts import feeds
from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.sources import batches, call_pages
from cio_pipeline.sources.append import append_rows
from cio_pipeline.sources.call_pages import Endpoint, pull
from cio_pipeline.sources.delta_log import COMMITTED_AT_KEY
from cio_pipeline.sources.status import table_statuses
from cio_pipeline.sources.tables import take_over
from cio_pipeline_tests.calls.pages import TOKEN, Pages, endpoint
from cio_pipeline_tests.calls.reading import READERS
from cio_pipeline_tests.calls.steps import call_row, calls_sync, commit, paths, run, window
from cio_pipeline_tests.changesets.rows import snapshot
from cio_pipeline_tests.world import NOON, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIO_SOURCE", f"delta:{tmp_path / 'source'}")
    monkeypatch.setattr(batches, "BATCH_ROWS", 7)
    small = replace(feeds.ALL_EXPORTS["calls"], rows_per_file=10)
    monkeypatch.setitem(feeds.ALL_EXPORTS, "calls", small)  # type: ignore[arg-type]
    return World(tmp_path)


def line(number: int) -> dict[str, Any]:
    """A call; some tell when they came in, and the later ones tell the earlier times."""
    told = {"receivedAt": f"2026-02-01T00:{59 - number % 60:02}:00Z"} if number % 3 == 0 else {}
    return {"type": "track", "event": f"{number:03}", **told}


def ndjson(numbers: Sequence[int]) -> bytes:
    return b"".join(json.dumps(line(n)).encode() + b"\n" for n in numbers)


def load(table: str, *files: Path, more: Sequence[str] = ()) -> Any:
    words = ["source", "load", table, *map(str, files), *more, "--at", NOON.isoformat(), "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def sent(world: World, file_format: str = "json", sync_id: str = "a") -> list[str]:
    """The events of the files in the order of their positions."""
    found = [READERS[file_format](path) for path in paths(world, "track", sync_id)]
    return [row["event_text"] for rows in found for row in rows]


def test_c3_a_load_keeps_the_order_of_lines_over_files_batches_and_positions(world: World) -> None:
    for file_format in READERS:
        calls_sync(world, file_format, format=file_format)
    files = [world.root / "b.ndjson", world.root / "a.ndjson"]
    files[0].write_bytes(ndjson(range(25)))
    files[1].write_bytes(ndjson(range(25, 40)))
    assert load("calls", *files, more=["--workspace", "1"])["rows"] == 40
    run(world, 0)
    for file_format in READERS:
        assert len(paths(world, "track", file_format)) == 4
        assert sent(world, file_format, file_format) == [f"{n:03}" for n in range(40)]


def test_c3_a_pull_keeps_the_order_of_pages_and_lines(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls_sync(world)
    monkeypatch.setattr(call_pages, "append_rows", partial(append_rows, at=NOON))
    with endpoint(Pages([ndjson(range(12)), ndjson(range(12, 13)), ndjson(range(13, 40))])) as at:
        list(pull(Endpoint(at.url, TOKEN), 1, world.source_uri, NOON))
    run(world, 0)
    assert sent(world) == [f"{n:03}" for n in range(40)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_c3_rows_of_the_table_keep_their_order_too(world: World, suffix: str) -> None:
    calls_sync(world)
    rows = [
        {
            "workspace_id": 1,
            "call_id": f"{n * 7 % 40:03}",
            "type": "track",
            "received_at": "2026-03-01T12:00:00Z",
            "payload": json.dumps(line(n)),
        }
        for n in range(40)
    ]
    files = [world.root / f"{name}.{suffix}" for name in "ba"]
    for file, part in zip(files, (rows[:25], rows[25:]), strict=True):
        frame = pl.DataFrame(part)
        if suffix == "csv":
            frame.write_csv(file)
        else:
            frame.with_columns(
                pl.col("received_at").str.to_datetime(time_unit="us", time_zone="UTC")
            ).write_parquet(file)
    load("calls", *files)
    run(world, 0)
    assert sent(world) == [f"{n:03}" for n in range(40)]


def without_arrival(world: World, table: str) -> None:
    """The table as an earlier version made it."""
    folder = Path(world.source_uri) / table
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    schema = source_arrow_schema(SOURCE_TABLES[table])
    older = schema.remove(schema.get_field_index(ARRIVAL))
    DeltaTable.create(
        folder,
        older,
        configuration={"delta.enableChangeDataFeed": "true"},
        commit_properties=dated(NOON - timedelta(days=1)),
    )


def dated(at: datetime) -> CommitProperties:
    return CommitProperties({COMMITTED_AT_KEY: at.isoformat()})


@pytest.mark.parametrize("by", ["load", "init"])
def test_c3_a_table_made_before_is_read_as_it_is_and_gets_the_column(world: World, by: str) -> None:
    uri, calls = world.source_uri, SOURCE_TABLES["calls"]
    without_arrival(world, "calls")
    assert table_statuses(uri, [calls])[0].problems == ()
    calls_sync(world)
    old = snapshot("calls", *(call_of_then(n) for n in (2, 0, 1))).drop(ARRIVAL).collect()
    write_deltalake(f"{uri}/calls", old, mode="append", commit_properties=dated(NOON))
    run(world, 0)
    assert sent(world) == ["000", "001", "002"], "by the time of receipt, as before"
    if by == "init":
        assert take_over(uri, SOURCE_TABLES.values()) == ["calls.arrival"]
        assert take_over(uri, SOURCE_TABLES.values()) == []
    commit(world, *(call_of_then(n) for n in (5, 3, 4)), at=window(1).start)
    run(world, 1)
    assert sent(world)[3:] == ["005", "003", "004"]
    for path in [*paths(world, "track"), *world.services.spool.root.rglob("*.json")]:
        path.unlink()
    again = restore(world.services)
    assert [(one.rows, one.error) for one in again] == [(3, None)] * 2, "with the digests of then"
    assert world.verify().ok


def test_m1_a_table_of_messages_made_before_keeps_the_order_from_now_on(world: World) -> None:
    without_arrival(world, "messages")
    world.sync(feed="messages", key_template="'same'")
    file = world.root / "m.ndjson"
    file.write_text("".join(f'{{"body": {{"data": {{"n": {n}}}}}}}\n' for n in (2, 9, 5)))
    load("messages", file, more=["--workspace", "1"])
    world.run(0, "messages")
    assert (world.folder("a") / "same").read_text() == '{"data": {"n": 5}}'


def call_of_then(number: int) -> dict[str, Any]:
    """A call as an earlier version stored it: what tells its place is the time of receipt."""
    at = NOON + timedelta(seconds=number % 3)
    return {**call_row("track", {"event": f"{number:03}"}), "received_at": at}
