#!/usr/bin/env bash
# Daft finds the neighbours of an unsigned 64-bit ID: filters, joins and lookups compare it as a float.
#
# Of an unsigned 64-bit column and an integer of Python, or a signed column, Daft makes 64-bit floats before
# it compares. From 2^53 on these stand for several integers each, so "id = n" is true of n's neighbours as
# well, a join pairs rows that have different keys, and a union changes the IDs themselves. No error is
# raised. Polars and DataFusion answer rightly from the same table. IDs of snowflake kind, hashes and
# Parquet's UINT_64 columns are such numbers: a reader of a feed that looks a row up, joins or deletes by
# them gets rows of others.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet daft==0.7.26 datafusion==55.0.0 polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==25.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version

import daft
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from datafusion import SessionContext

FIRST = 2**53
FILE = f"{sys.argv[1]}/orders.parquet"
IDS = [FIRST, FIRST + 1, FIRST + 2]
WANTED = FIRST + 1
pq.write_table(pa.table({"order_id": pa.array(IDS, pa.uint64())}), FILE)
wanted = pa.table({"order_id": pa.array([WANTED], pa.int64())})

orders = daft.read_parquet(FILE)
context = SessionContext()
context.register_parquet("orders", FILE)
context.register_record_batches("wanted", [wanted.to_batches()])
by_others = {
    "Polars, filter": pl.scan_parquet(FILE).filter(pl.col("order_id") == WANTED).collect(),
    "Polars, join": pl.read_parquet(FILE).join(pl.from_arrow(wanted), on="order_id"),
    "DataFusion, filter": context.sql(f"SELECT * FROM orders WHERE order_id = {WANTED}").to_polars(),
    "DataFusion, join": context.sql("SELECT o.* FROM orders o JOIN wanted USING (order_id)").to_polars(),
}
by_daft = {
    "filter": orders.where(daft.col("order_id") == WANTED),
    "is_in": orders.where(daft.col("order_id").is_in([WANTED])),
    "join": orders.join(daft.from_arrow(wanted), on="order_id"),
}
print("versions:", ", ".join(f"{name} {version(name)}" for name in ("daft", "datafusion", "polars")))
right = {name: found["order_id"].to_list() for name, found in by_others.items()}
for name, found in right.items():
    print(f"expected: {found} from {name}")
seen = {name: sorted(found.to_pydict()["order_id"]) for name, found in by_daft.items()}
for name, found in seen.items():
    print(f"seen:     {found} from Daft, {name}")
together = orders.union_all(daft.from_arrow(wanted)).to_pydict()["order_id"]
print(f"seen:     {together} from Daft, union_all")
as_stated = (
    all(found == [WANTED] for found in right.values())
    and all(found == [FIRST, WANTED] for found in seen.values())
    and sorted(together) == [float(FIRST)] * 3 + [float(FIRST + 2)]
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
