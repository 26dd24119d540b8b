"""The verbs that mend: their output and exit codes."""

import json
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.defs.jobs import JOBS
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.ledger.upkeep import backup, check
from cio_pipeline.model.errors import DiskFull, InvalidConfig, LedgerError
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import window_holding
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.defs.running import MANIFEST, QUIET, job_on
from cio_pipeline_tests.pipeline import feeds
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.recovery.loss import EXPORTS, DieAfter, change, each_row_once, go_on
from cio_pipeline_tests.recovery.test_operations import damage
from cio_pipeline_tests.world import World, during, window

Run = Callable[..., Result]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a verb on the world's ledger, in its folder."""
    monkeypatch.chdir(world.root)
    monkeypatch.setenv("CIO_HOME", str(world.root))
    for name in ("CIO_SOURCE", "CIO_LEDGER"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return invoke


def answer(done: Result, code: int = 0) -> Any:
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


def test_plan_still_previews_and_abandons(world: World, run: Run) -> None:
    world.sync()
    go_on(world, [0])
    change(world, 1)
    world.now = window(1).end
    with pytest.raises(Crash):
        run_export(
            watched(world.services, DieAfter("destination.put"), "x"), "events", window(1), Scope()
        )
    world.now += 2 * TTL
    shown = answer(run("plan", "--no-count", "--window", "2026-03-01T12:20", "--json"))
    assert "Resume" in {one["decision"] for one in shown if one["export"] == "events"}

    done = answer(run("plan", "abandon", "a", "events", "--json"))

    assert done["removed"] == ["events_v5_1_2.parquet"]
    assert done["void"] == [["plain", 2]]
    world.run(1, *EXPORTS)
    each_row_once(world, 2)
    assert isinstance(run("plan", "abandon", "a", "events").exception, InvalidConfig)


def test_export_restore_puts_back_and_tells(world: World, run: Run) -> None:
    world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_2.parquet").unlink()
    (world.folder() / "_cio" / "1.manifest").unlink()

    nothing = answer(run("export", "--restore", "--window", "2026-03-01T12:00", "--json"))
    done = answer(run("export", "--restore", "--sync", "a", "--json"))

    assert [one["key"] for one in nothing] == ["_cio/1.manifest"]
    assert [one["key"] for one in done] == ["events_v5_1_2.parquet"]
    each_row_once(world, 2)
    assert "nothing is missing" in run("export", "--restore").output
    assert isinstance(run("export").exception, InvalidConfig)


def test_a_run_in_restore_mode_puts_back_what_its_window_lost(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    lost = ["events_v5_1_1.parquet", "events_v5_1_2.parquet", "_cio/2.manifest"]
    for key in lost:
        (world.folder() / key).unlink()
    change(world, 2)

    scope = {"resources": {"scope": {"config": {"sync_ids": ["a"], "mode": "restore"}}}}
    job = job_on(world.services)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            instance=instance,
            partition_key=window(1).key,
            asset_selection=[dg.AssetKey("events"), MANIFEST],
            run_config={**scope, **QUIET},
            raise_on_error=False,
        )

    assert done.success
    assert [key for key in lost if not (world.folder() / key).exists()] == lost[:1]
    assert world.manifests() == ["1.manifest", "2.manifest"]


def test_ledger_check_says_whether_it_is_damaged(world: World, run: Run) -> None:
    world.sync()
    go_on(world, [0])
    assert answer(run("ledger", "check", "--json"))["problems"] == []
    world.ledger.close()
    damage(world.root / "ledger.db")
    done = run("ledger", "check")
    assert isinstance(done.exception, LedgerError) or done.exit_code == 1
    assert "damaged" in str(done.exception) + done.output


def test_a_broken_reference_in_the_ledger_is_found(world: World) -> None:
    world.sync()
    go_on(world, [0])
    world.ledger.close()
    with closing(sqlite3.connect(world.root / "ledger.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM syncs")
    (first, *_) = check(world.ledger.database)
    assert "syncs" in first


def test_ledger_backup_is_whole_while_a_run_writes(world: World, run: Run) -> None:
    world.sync()
    go_on(world, [0])
    copy = world.root / "backups" / "one.db"
    assert run("ledger", "backup", str(copy)).exit_code == 0
    go_on(world, [1])
    other = open_ledger(f"sqlite:///{copy}")
    assert other.manifests.bodies("a") == world.ledger.manifests.bodies("a")[:1]
    other.close()
    assert isinstance(run("ledger", "backup", str(copy)).exception, InvalidConfig)
    assert [path.name for path in copy.parent.glob("*.part")] == []


@pytest.mark.parametrize("room", [0, 20_000])
def test_a_copy_that_finds_no_room_blames_its_disk_and_not_the_ledger(
    world: World, run: Run, room: int
) -> None:
    world.sync()
    go_on(world, [0])
    copy = world.root / "backups" / "one.db"
    no_more = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, no_more[1]))
    try:
        with pytest.raises(DiskFull, match=r"No space is left for the copy .*one\.db") as full:
            backup(world.ledger.database, copy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, no_more)
    assert "another disk" in str(full.value.next_step)
    assert list(copy.parent.iterdir()) == []
    assert run("ledger", "backup", str(copy)).exit_code == 0


def test_a_ledger_in_postgresql_is_checked_and_left_to_pg_dump(
    postgres_cluster: Cluster, world: World
) -> None:
    ledger = open_ledger(postgres_cluster.new_schema())
    assert check(ledger.database) == []
    with pytest.raises(InvalidConfig, match="PostgreSQL"):
        backup(ledger.database, world.root / "copy.db")
    ledger.close()


def test_ledger_rebuild_and_catch_up_tell_what_they_did(world: World, run: Run) -> None:
    text = "syncs: [{id: a, workspace_id: 1, destination: {type: local, path: bucket/a}}]"
    (world.root / "syncs.yaml").write_text(text)
    world.sync()
    go_on(world, range(2))
    world.ledger.close()
    for file in world.root.glob("ledger.db*"):
        file.unlink()
    (one,) = answer(run("ledger", "rebuild", "--syncs", "syncs.yaml", "--json"))
    assert (one["manifests"], one["files"], one["error"]) == (2, 7, None)
    (one,) = answer(run("ledger", "catch-up", "--json"))
    assert one["manifests"] == 0
    assert isinstance(run("ledger", "rebuild", "--syncs", "syncs.yaml").exception, LedgerError)
    (world.folder() / "_cio" / "1.manifest").write_bytes(b"{}")
    (one,) = answer(run("ledger", "catch-up", "--json"), 1)
    assert "do not tell all" in one["error"]


@pytest.mark.parametrize("feed", list(Feed))
def test_a_run_in_restore_mode_tells_what_it_leaves_alone(world: World, feed: Feed) -> None:
    """Of every feed: its windows and its job are its own, what is noticed is told alike."""
    world.sync(feed=feed)
    feeds.commit(world, feed, 0)
    feeds.run(world, feed, 0, world.services)
    (world.folder() / "odd\x07name").write_bytes(b"x")

    scope = {"resources": {"scope": {"config": {"sync_ids": ["a"], "mode": "restore"}}}}
    job = job_on(world.services, JOBS[feed].name)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            instance=instance,
            partition_key=window_holding(during(0, 5), feed).key,
            run_config={**scope, **QUIET},
        )
    told = [
        str(event.metadata["source_notices"].value)
        for one in done.get_asset_materialization_events()
        if "source_notices" in (event := one.step_materialization_data.materialization).metadata
    ]
    assert told
    assert all("is left alone" in one for one in told)
