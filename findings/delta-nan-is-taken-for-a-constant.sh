#!/usr/bin/env bash
# delta-rs takes NaN for the file's only other value: a SELECT gives that value, a DELETE deletes the row.
#
# A Delta log holds the least and the largest value of each file's columns, and NaN is in neither. Where
# both are one number, deltalake takes the column for constant. A query with a condition then gives 21.5 for
# a row that holds NaN, and delete("celsius < 30") deletes it, though the condition is not true of it; in a
# file with two numbers all is right. Sensors, prices and rates stand still for hours, so such files are
# common. A pipeline that queries or cleans tables by conditions on floats has to exclude NaN by name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deltalake==1.6.6 arro3-core==0.9.1 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys

import deltalake
import pyarrow as pa
import pyarrow.compute as pc

CASES = {"varied": [20.0, float("nan"), 21.5], "steady": [21.5, float("nan"), 21.5]}
CONDITION, IN_MEMORY = "celsius < 30", pc.field("celsius") < 30


def selected(opened, condition):
    sql = deltalake.QueryBuilder().register("t", opened)
    found = sql.execute(f"SELECT celsius FROM t WHERE {condition} ORDER BY id").read_all()
    return pa.table(found)["celsius"].to_pylist()


seen = {}
print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
for name, values in CASES.items():
    rows = pa.table({"id": [1, 2, 3], "celsius": values})
    table = f"{sys.argv[1]}/{name}"
    deltalake.write_deltalake(table, rows)
    found = selected(deltalake.DeltaTable(table), CONDITION)
    deltalake.DeltaTable(table).delete(CONDITION)
    left = deltalake.DeltaTable(table).to_pyarrow_table()["celsius"].to_pylist()
    seen[name] = (str(found), left)
    print(f"{CONDITION} of {values}:")
    print(f"  expected: SELECT finds {rows.filter(IN_MEMORY)['celsius'].to_pylist()}, DELETE leaves [nan]")
    print(f"  seen:     SELECT finds {found}, DELETE leaves {left}")
as_stated = str(seen) == str(
    {"varied": ("[20.0, 21.5]", [float("nan")]), "steady": ("[21.5, 21.5, 21.5]", [])}
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
