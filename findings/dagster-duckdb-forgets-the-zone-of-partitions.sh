#!/usr/bin/env bash
# With partitions of days in New York, Dagster's DuckDB I/O manager deletes and loads days of UTC.
#
# A partitions definition has a zone, and `partition_time_window` gives its day as two instants. The I/O manager
# writes both into SQL without their zone: `sent >= '2024-06-02 00:00:00'`, whether `sent` is a TIMESTAMP in UTC
# or a TIMESTAMPTZ. So a day that is written deletes the evening of the day before, which is not written again;
# a day that is written once more stands in the table with its evening twice, while the count of all rows can
# look right; and whoever loads a day gets it without its evening. From the newest day to the oldest nothing is
# lost. No error, and nothing in the documentation of `partition_expr`. The SQL is in the metadata of each
# materialization. An expression that turns the column into local time would help, where DuckDB has its extension
# for zones; days of UTC do without.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dagster==1.13.27 dagster-duckdb==0.29.27 dagster-duckdb-pandas==0.29.27 \
    duckdb==2.0.1 pandas==2.3.3
mkdir "$work/home"
DAGSTER_HOME="$work/home" DAGSTER_DISABLE_TELEMETRY=1 TZ=UTC "$work/venv/bin/python" -W ignore - "$work" <<'PY'
import logging
import sys
from importlib.metadata import version

import duckdb
import pandas as pd
from dagster import AssetIn, DagsterInstance, DailyPartitionsDefinition, asset, materialize, mem_io_manager
from dagster_duckdb_pandas import DuckDBPandasIOManager

logging.disable(logging.CRITICAL)
SENT = pd.date_range("2024-06-01", periods=120, freq="h", tz="UTC")
UP, DOWN = ["2024-06-01", "2024-06-02", "2024-06-03"], ["2024-06-03", "2024-06-02", "2024-06-01"]


def written(zone, aware, days):
    """What the table and the loads hold after some days were written, with an event an hour."""
    parts = DailyPartitionsDefinition("2024-06-01", timezone=zone)
    loaded, queries = {}, {}

    @asset(partitions_def=parts, metadata={"partition_expr": "sent"}, key_prefix="feed")
    def events(context) -> pd.DataFrame:
        window = context.partition_time_window
        sent = SENT[(SENT >= window.start) & (SENT < window.end)]
        return pd.DataFrame({"sent": sent if aware else sent.tz_localize(None)})

    @asset(partitions_def=parts, io_manager_key="memory", ins={"events": AssetIn(key=["feed", "events"])})
    def report(context, events: pd.DataFrame) -> None:
        loaded[context.partition_key] = len(events)

    database = f"{sys.argv[1]}/{zone[:3]}-{aware}-{'-'.join(days)}.duckdb"
    resources = {"io_manager": DuckDBPandasIOManager(database=database), "memory": mem_io_manager}
    instance = DagsterInstance.ephemeral()
    for day in days:
        run = materialize([events, report], partition_key=day, resources=resources, instance=instance)
        queries[day] = run.asset_materializations_for_node("feed__events")[0].metadata["Query"].value
    with duckdb.connect(database) as base:
        counts = base.sql("SELECT count(*), count(DISTINCT sent) FROM feed.events").fetchall()[0]
        base.execute(f"CREATE VIEW kept AS {queries[UP[1]]}")
        by_hand = base.sql("SELECT count(*) FROM kept").fetchall()[0][0]
    return {"rows": counts[0], "different": counts[1], "loaded": set(loaded.values())}, queries, by_hand


print("versions:", ", ".join(f"{name} {version(name)}" for name in ("dagster", "dagster-duckdb", "duckdb")))
right = {"rows": 72, "different": 72, "loaded": {24}}
in_order = {"rows": 64, "different": 64, "loaded": {20}}
newest_first = {"rows": 72, "different": 72, "loaded": {20}}
again = {"rows": 72, "different": 68, "loaded": {20}}
as_stated = True
print(f"expected: {right} for three days of 24 hours, in any order and written again")
for zone, aware in (("UTC", True), ("UTC", False), ("America/New_York", True), ("America/New_York", False)):
    kind = "TIMESTAMPTZ" if aware else "TIMESTAMP of UTC"
    first, queries, by_hand = written(zone, aware, UP)
    back, _, _ = written(zone, aware, DOWN)
    twice, _, _ = written(zone, aware, [*DOWN, "2024-06-02"])
    print(f"seen:     {first} with days of {zone}, {kind}, oldest first")
    print(f"seen:     {back} newest first, {twice} and the second day once more")
    clear = zone == "UTC"
    as_stated = as_stated and first == (right if clear else in_order) and by_hand == (24 if clear else 20)
    as_stated = as_stated and back == (right if clear else newest_first) and twice == (right if clear else again)
print(f"seen:     {' '.join(queries[UP[1]].split())}")
as_stated = as_stated and "'2024-06-02 00:00:00' AND sent < '2024-06-03 00:00:00'" in queries[UP[1]]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
