#!/usr/bin/env bash
# An asset that depends on several days of a Delta table gets the first day alone from dagster-deltalake.
#
# A weekly asset on a daily one, or one without partitions on a partitioned one, takes a range of partitions. The
# I/O manager of dagster-deltalake makes a filter of the range's start, `day = 2024-11-03`, and leaves out its end:
# two of fourteen rows are loaded, with no error and no warning. Dagster itself says in the input's context which
# days are asked for, its own I/O manager for files gives all seven, and so does the table when read by hand. A
# range of partitions of texts is refused, so that one would expect the same of times. Read such a table with
# deltalake itself in an asset with `deps`, or make one load a day.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dagster==1.13.27 dagster-deltalake==0.29.27 deltalake==1.6.6 pyarrow==26.0.1
mkdir "$work/home"
DAGSTER_HOME="$work/home" DAGSTER_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -W ignore - "$work" <<'PY'
import datetime as dt
import logging
import sys
from importlib.metadata import version

import pyarrow as pa
from dagster import (
    AssetIn,
    DagsterInstance,
    DailyPartitionsDefinition,
    FilesystemIOManager,
    StaticPartitionsDefinition,
    WeeklyPartitionsDefinition,
    asset,
    materialize,
    mem_io_manager,
)
from dagster_deltalake import DeltaLakePyarrowIOManager, LocalConfig
from deltalake import DeltaTable

logging.disable(logging.CRITICAL)
root = sys.argv[1]
MANAGERS = {
    "dagster-deltalake": DeltaLakePyarrowIOManager(root_uri=f"{root}/delta", storage_options=LocalConfig()),
    "files": FilesystemIOManager(base_dir=f"{root}/files"),
}
days = DailyPartitionsDefinition("2024-11-03", end_date="2024-11-10")
weeks = WeeklyPartitionsDefinition("2024-11-03", end_date="2024-11-10")
plans = StaticPartitionsDefinition(["free", "team"])
asked, found = {}, {}


@asset(partitions_def=days, metadata={"partition_expr": "day"}, key_prefix="feed")
def opens(context):
    day = dt.date.fromisoformat(context.partition_key)
    return pa.table({"day": [day, day], "person": ["p1", "p2"]})


@asset(partitions_def=plans, metadata={"partition_expr": "plan"}, key_prefix="feed")
def people(context):
    return pa.table({"plan": [context.partition_key], "person": ["p1"]})


def rows(loaded) -> int:
    """The rows of an input, which is a table or, from files, a table per partition."""
    return sum(table.num_rows for table in loaded.values()) if isinstance(loaded, dict) else loaded.num_rows


def reader(name, kind, of, **options):
    """An asset that counts what an input has, loaded as a kind of object."""

    def readers(context, loaded) -> None:
        asked[name] = len(context.asset_partition_keys_for_input("loaded"))
        found[name] = rows(loaded)

    readers.__annotations__["loaded"] = kind
    return asset(name=name, io_manager_key="memory", ins={"loaded": AssetIn(key=of.key)}, **options)(readers)


def run(manager, chosen, partition_key=None):
    resources = {"io_manager": MANAGERS[manager], "memory": mem_io_manager}
    options = {"selection": [chosen], "resources": resources, "partition_key": partition_key}
    return materialize([opens, people, *readers], instance=instance, raise_on_error=False, **options).success


print("versions:", ", ".join(f"{name} {version(name)}" for name in ("dagster", "dagster-deltalake", "deltalake")))
as_stated = True
for manager in MANAGERS:
    instance = DagsterInstance.ephemeral()
    kind = pa.Table if manager == "dagster-deltalake" else dict
    weekly, total = reader("weekly", kind, opens, partitions_def=weeks), reader("total", kind, opens)
    everybody = reader("everybody", kind, people)
    readers = [weekly, total, everybody]
    written = [run(manager, opens, day) for day in days.get_partition_keys()]
    written += [run(manager, people, plan) for plan in plans.get_partition_keys()]
    asked.clear()
    found.clear()
    done = run(manager, weekly, "2024-11-03") and run(manager, total)
    refused = not run(manager, everybody)
    delta = manager == "dagster-deltalake"
    print(f"{'seen:    ' if delta else 'expected:'} {found} rows of {asked} partitions from {manager}")
    print(f"          a range of texts is {'refused' if refused else 'loaded'} by {manager}")
    days_asked = {name: asked[name] for name in ("weekly", "total")}
    days_found = {found[name] for name in ("weekly", "total")}
    as_stated = as_stated and all(written) and done and refused == delta
    as_stated = as_stated and days_asked == {"weekly": 7, "total": 7} and days_found == {2 if delta else 14}
stored = DeltaTable(f"{root}/delta/feed/opens").to_pyarrow_table().num_rows
print(f"expected: {stored} rows are in the Delta table, read by deltalake")
as_stated = as_stated and stored == 14
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
