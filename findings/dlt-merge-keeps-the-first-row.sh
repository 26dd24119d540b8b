#!/usr/bin/env bash
# Of two rows of one key in a load, dlt's merge keeps the first, so the older one of a feed of changes.
#
# A feed of changes holds a row per change, oldest first, and a load takes several files of it. With
# write_disposition="merge" and a primary key, dlt loads one row of each key into DuckDB: the first. So the
# table stays at an earlier state until the row changes again, and a second load with the same rows changes nothing.
# The rows come as expected if each is a load of its own, so that tests with small batches do not show it.
# A column that tells the order has to be named to dlt as dedup_sort; a feed for such readers has to have one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "dlt[duckdb]==1.31.0" duckdb==2.0.0
cd "$work"
RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL "$work/venv/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version

import dlt

CHANGES = [
    {"person": "p1", "plan": "free", "changed": 1},
    {"person": "p1", "plan": "team", "changed": 2},
    {"person": "p1", "plan": "none", "changed": 3},
]


def loaded(name, loads, **columns):
    """The plan that a table ends with after some loads."""
    pipeline = dlt.pipeline(
        name,
        destination=dlt.destinations.duckdb(f"{sys.argv[1]}/{name}.duckdb"),
        pipelines_dir=f"{sys.argv[1]}/state",
        dataset_name="feed",
    )
    for rows in loads:
        pipeline.run(
            rows, table_name="people", write_disposition="merge", primary_key="person", **columns
        )
    with pipeline.sql_client() as client:
        return client.execute_sql("SELECT plan FROM people")[0][0]


print(f"versions: dlt {version('dlt')}, duckdb {version('duckdb')}")
together = loaded("together", [CHANGES])
again = loaded("again", [CHANGES, CHANGES])
each = loaded("each", [[change] for change in CHANGES])
ordered = loaded("ordered", [CHANGES], columns={"changed": {"dedup_sort": "desc"}})
print("expected: none, the last change, however the rows are split into loads")
print(f"seen:     {each} from three loads")
print(f"seen:     {together} from one load, {again} after the same load again")
print(f"seen:     {ordered} from one load with dedup_sort")
as_stated = (each, together, again, ordered) == ("none", "free", "free", "none")
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
