"""O7: a run's events are kept where the UI finds them, without opening files anew for each."""

import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool, Pool

from cio_pipeline.defs import dagster_files
from cio_pipeline.defs.dagster_files import FILES, Opened, keep_open


@dg.asset
def nothing() -> None:
    """An asset without a value."""


def run(home: Path, times: int) -> list[str]:
    """Ids of that many runs of the asset, all of which a later look finds complete."""
    home.mkdir(exist_ok=True)
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        ids = [dg.materialize([nothing], instance=instance).run_id for _ in range(times)]
    with dg.DagsterInstance.local_temp(str(home)) as later:
        for one in ids:
            kinds = {
                record.event_log_entry.dagster_event_type
                for record in later.get_records_for_run(one).records
            }
            assert {dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.STEP_SUCCESS} <= kinds
    return ids


@pytest.fixture
def opened_once(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """What `keep_open` does, until the test ends."""
    opened = Opened()
    monkeypatch.setattr(dagster_files, "_OPENED", opened)
    for module in (sqlite_event_log, sqlite_run_storage):
        monkeypatch.setattr(module, "create_engine", create_engine)
    keep_open()
    return opened


def test_o7_dagsters_files_are_opened_a_few_times_and_closed_in_the_end(
    tmp_path: Path, opened_once: Opened
) -> None:
    opened: Counter[str] = Counter()
    still = Counter[str]()

    def name_of(connection: Any) -> str:
        return Path(connection.execute("PRAGMA database_list").fetchone()[2]).name

    def came(connection: Any, record: Any) -> None:
        record.info["name"] = name = name_of(connection)
        opened[name] += 1
        still[name] += 1

    def went(_connection: Any, record: Any) -> None:
        still[record.info["name"]] -= 1

    event.listen(Pool, "connect", came)
    event.listen(Pool, "close", went)
    try:
        ids = run(tmp_path, FILES + 2)
        assert sum(still.values()) <= 3 * FILES
        kept = opened_once.engine(f"sqlite:///{tmp_path}/history/runs/{ids[-1]}.db")
        with kept.connect() as connection:
            # NORMAL: in this mode the disk is waited for when the log is tidied up.
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        opened_once.close()
    finally:
        event.remove(Pool, "connect", came)
        event.remove(Pool, "close", went)
    # A new one is opened anew until it has its tables; events come later.
    assert max(opened[f"{one}.db"] for one in ids) <= 8
    assert opened["index.db"] <= 8
    assert not +still


@pytest.mark.usefixtures("opened_once")
def test_o7_a_file_that_was_put_in_the_place_of_an_opened_one_is_opened_itself(
    tmp_path: Path,
) -> None:
    run(tmp_path / "home", 1)
    shutil.copytree(tmp_path / "home", tmp_path / "kept")
    run(tmp_path / "home", 1)
    shutil.rmtree(tmp_path / "home")
    shutil.move(tmp_path / "kept", tmp_path / "home")
    run(tmp_path / "home", 1)


def test_o7_many_threads_have_a_file_open_at_a_time(tmp_path: Path, opened_once: Opened) -> None:
    """Whoever cannot have a connection waits for half a minute, and fails."""
    run(tmp_path / "home", 1)
    (index,) = tmp_path.rglob("index.db")
    engine = opened_once.engine(f"sqlite:///{index}", poolclass=NullPool)
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(engine.connect())
