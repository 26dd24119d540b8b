#!/usr/bin/env bash
# DuckDB's COPY marks a Parquet column REQUIRED if the table happens to hold no null in it.
#
# The column `note` may be null by its declaration. As long as no row has a null there, COPY writes it as
# REQUIRED; one row with a null, of another day and not in the file at all, makes it OPTIONAL. So the schema
# of a feed's files changes with its data, though no column did: fingerprints of schemas differ, and a
# reader that took its table's columns from the first file may refuse the second. A pipeline that writes
# with DuckDB has to state presence by other means than the table's declaration.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.0
"$work/venv/bin/python" - "$work" <<'PY'
import sys

import duckdb

db = duckdb.connect()
db.execute("CREATE TABLE visits (id BIGINT NOT NULL, note VARCHAR, day DATE NOT NULL)")


def presence(day, name):
    """The presence of each column in a file of one day's visits."""
    file = f"{sys.argv[1]}/{name}.parquet"
    db.execute(f"COPY (SELECT id, note FROM visits WHERE day = '{day}') TO '{file}'")
    found = f"SELECT name, repetition_type FROM parquet_schema('{file}') OFFSET 1"
    return dict(db.execute(found).fetchall())


db.execute("INSERT INTO visits VALUES (1, 'first', '2026-03-08'), (2, 'second', '2026-03-08')")
seen = {"2026-03-08, with this day alone in the table": presence("2026-03-08", "a")}
db.execute("INSERT INTO visits VALUES (3, NULL, '2026-03-09')")
seen["2026-03-08, with the next day's null in the table"] = presence("2026-03-08", "b")
seen["2026-03-09"] = presence("2026-03-09", "c")
right = {"id": "REQUIRED", "note": "OPTIONAL"}
print(f"versions: duckdb {duckdb.__version__}")
print(f"expected: {right} in every file, or note alike in all of them")
for what, found in seen.items():
    print(f"seen:     {found} in the file of {what}")
as_stated = list(seen.values()) == [right | {"note": "REQUIRED"}, right, right]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
