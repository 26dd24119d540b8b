#!/usr/bin/env bash
# dlt changes later values to the type of a column's first one: 007 becomes 7, a time becomes its day.
#
# Where a value does not fit a column, dlt opens a second column for it (v and v__v_text), which is what one
# relies on. But it first tries to convert, and conversions that lose something count: the text "007" becomes the
# integer 7 in a column that began with an integer, "no" and 2 become false and true in one that began with
# a boolean, and a time in a column of days loses its hours. So what a record ends as depends on the records
# that were loaded before it. Types have to be declared to dlt, or come with the files, as in Parquet.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "dlt[duckdb]==1.31.0" duckdb==2.0.0
cd "$work"
RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL "$work/venv/bin/python" - "$work" <<'PY'
import sys
from datetime import date, datetime
from importlib.metadata import version

import dlt

CASES = {
    "a postcode after an integer": (1, "007"),
    "a text after a boolean": (True, "no"),
    "an integer after a boolean": (True, 2),
    "a time after a day": (date(2026, 3, 1), datetime(2026, 3, 1, 17, 45)),
    "a word after an integer": (1, "seven"),
}
STATED = {
    "a postcode after an integer": 7,
    "a text after a boolean": False,
    "an integer after a boolean": True,
    "a time after a day": date(2026, 3, 1),
    "a word after an integer": "seven",
}


def loaded(number, values):
    """What the last value is in the table, in whichever column it stands."""
    pipeline = dlt.pipeline(
        f"case_{number}",
        destination=dlt.destinations.duckdb(f"{sys.argv[1]}/{number}.duckdb"),
        pipelines_dir=f"{sys.argv[1]}/state",
        dataset_name="feed",
    )
    rows = [{"row": place, "v": value} for place, value in enumerate(values)]
    pipeline.run(rows, table_name="records")
    with pipeline.sql_client() as client:
        query = "SELECT * EXCLUDE (row, _dlt_load_id, _dlt_id) FROM records WHERE row = 1"
        (last,) = client.execute_sql(query)
    (value,) = [one for one in last if one is not None]
    return value


print(f"versions: dlt {version('dlt')}, duckdb {version('duckdb')}")
seen = {}
for number, (name, values) in enumerate(CASES.items()):
    seen[name] = loaded(number, values)
    print(f"{name}: expected {values[1]!r}, or a column of its own; seen {seen[name]!r}")
as_stated = seen == STATED and all(type(seen[name]) is type(STATED[name]) for name in STATED)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
