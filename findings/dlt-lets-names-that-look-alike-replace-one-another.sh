#!/usr/bin/env bash
# dlt keeps one of two properties whose names become the same column, and tells nobody of the other.
#
# Names are made snake_case on the way: userId and user_id, or "Plan Name" and plan_name, are one column
# then. Of such properties in one record dlt loads the last in the record's order, without an error or a warning. A
# record that has them in another order gives the other value, so one column holds both properties.
# Senders of events do spell a property in two ways, while they move from one to the other: a pipeline has
# to look for names that clash before such a reader does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "dlt[duckdb]==1.31.0" duckdb==2.0.0
cd "$work"
RUNTIME__DLTHUB_TELEMETRY=false "$work/venv/bin/python" - "$work" <<'PY' 2>"$work/log"
import sys
from importlib.metadata import version

import dlt

RECORDS = [
    {"record": 1, "userId": "from the app", "user_id": "from the server"},
    {"record": 2, "user_id": "from the server", "userId": "from the app"},
]
pipeline = dlt.pipeline(
    "events",
    destination=dlt.destinations.duckdb(f"{sys.argv[1]}/events.duckdb"),
    pipelines_dir=f"{sys.argv[1]}/state",
    dataset_name="feed",
)
pipeline.run(RECORDS, table_name="events")
with pipeline.sql_client() as client:
    names = client.execute_sql(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'events'"
        " AND column_name NOT LIKE '\\_dlt%' ESCAPE '\\' ORDER BY ordinal_position"
    )
    values = client.execute_sql("SELECT user_id FROM events ORDER BY record")
columns, kept = [name for (name,) in names], [value for (value,) in values]
with open(f"{sys.argv[1]}/log") as log:
    warned = [line for line in log if "user" in line.lower()]
print(f"versions: dlt {version('dlt')}, duckdb {version('duckdb')}")
print("expected: both values of both records, or an error")
print(f"seen:     columns {columns}, user_id {kept}, {len(warned)} lines logged about it")
as_stated = (
    columns == ["record", "user_id"] and kept == ["from the server", "from the app"] and not warned
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
