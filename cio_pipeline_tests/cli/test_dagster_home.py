"""Dagster's runs of the command line: kept where the UI finds them, without opening files anew."""

from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cio_pipeline.cli.dagster_home import FILES, files_kept_open


@dg.asset
def nothing() -> None:
    """An asset without a value."""


def run(home: Path, times: int) -> list[str]:
    """Ids of that many runs of the asset, all of which a later look finds complete."""
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


def test_o7_dagsters_files_are_opened_a_few_times_and_closed_in_the_end(tmp_path: Path) -> None:
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
        with files_kept_open():
            ids = run(tmp_path, FILES + 2)
            assert sum(still.values()) <= 3 * FILES
    finally:
        event.remove(Pool, "connect", came)
        event.remove(Pool, "close", went)
    assert max(opened[f"{one}.db"] for one in ids) <= 4
    assert opened["index.db"] <= 8
    assert not +still
