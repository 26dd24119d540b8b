#!/usr/bin/env bash
# delta-rs does not find rows by a decimal beyond 2^53, nor delete them.
#
# A Delta log holds the least and the largest value of each file's columns, to skip files by. deltalake
# writes those of decimal(20,0), the usual type for unsigned 64-bit IDs, by way of a double: of
# 9007199254740993 it writes 9007199254740992. A search for the row's own ID then skips its file: SQL, Arrow
# filters and delete() all find nothing, while reading the whole table gives the row. decimal(18,0) is
# exact. A pipeline that looks rows up by such an ID reports them as missing, and a request to erase a
# person's rows succeeds with none erased.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deltalake==1.6.6 arro3-core==0.9.1 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from decimal import Decimal

import deltalake
import pyarrow as pa

ID = Decimal(2**53 + 1)


def found(precision):
    """Rows with the ID by SQL, by an Arrow filter, of the whole table, and deleted."""
    table = f"{sys.argv[1]}/people-{precision}"
    rows = pa.table({"id": pa.array([Decimal(7), ID], pa.decimal128(precision, 0))})
    deltalake.write_deltalake(table, rows)
    opened = deltalake.DeltaTable(table)
    sql = deltalake.QueryBuilder().register("t", opened)
    condition = f"id = CAST('{ID}' AS DECIMAL({precision}, 0))"
    selected = pa.table(sql.execute(f"SELECT id FROM t WHERE {condition}").read_all())
    filtered = opened.to_pyarrow_table(filters=[("id", "=", ID)])
    whole = opened.to_pyarrow_table()["id"].to_pylist()
    deleted = opened.delete(condition)["num_deleted_rows"]
    return selected.num_rows, filtered.num_rows, whole.count(ID), deleted


print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
seen = {precision: found(precision) for precision in (18, 20)}
print(f"rows with the ID {ID} by SQL, by an Arrow filter, in the whole table, and deleted")
print("expected: (1, 1, 1, 1) of either type")
for precision, counts in seen.items():
    print(f"seen:     {counts} of decimal({precision},0)")
as_stated = seen == {18: (1, 1, 1, 1), 20: (0, 0, 1, 0)}
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
