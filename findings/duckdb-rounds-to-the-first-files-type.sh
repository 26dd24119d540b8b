#!/usr/bin/env bash
# DuckDB rounds what it reads to the type that it saw first, and says nothing.
#
# A column that grows finer is common: whole amounts first, cents later, one digit first, two later. DuckDB
# takes a column's type from the first file of a list, or the first lines of NDJSON, and casts the rest: of
# 1.5 and 2.75 it reads 2.8, of 1 and 2.7 it reads 3, of a day and a noon two days. Sums depend on which
# file is listed first. pyarrow and Polars refuse the same Parquet files. Readers of a pipeline's files have
# to say union_by_name or the types; a pipeline must not change a column's type under one name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.0 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import json
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

work = Path(sys.argv[1])
days = {"monday": ("1.5", 1), "tuesday": ("2.75", 2)}
for day, (amount, scale) in days.items():
    column = pa.array([Decimal(amount)], pa.decimal128(10, scale))
    pq.write_table(pa.table({"amount": column}), work / f"{day}.parquet")
lines = [{"amount": 1}] * 30_000 + [{"amount": 2.7}]
(work / "amounts.ndjson").write_text("\n".join(map(json.dumps, lines)))


def one(query):
    return str(duckdb.sql(query).fetchall()[0][0])


def total(*names, options=""):
    files = [str(work / f"{name}.parquet") for name in names]
    return one(f"SELECT sum(amount) FROM read_parquet({files}{options})")


def of_pyarrow():
    files = [str(work / f"{name}.parquet") for name in days]
    try:
        return str(sum(ds.dataset(files).to_table()["amount"].to_pylist()))
    except pa.ArrowInvalid as error:
        return f"an error: {error}"


seen = {
    "Parquet, Monday first": total("monday", "tuesday"),
    "Parquet, Tuesday first": total("tuesday", "monday"),
    "Parquet, union_by_name": total("monday", "tuesday", options=", union_by_name = true"),
    "NDJSON": one(f"SELECT max(amount) FROM '{work}/amounts.ndjson'"),
}
right = dict.fromkeys(seen, "4.25") | {"NDJSON": "2.7"}
arrow = of_pyarrow()
print(f"versions: duckdb {duckdb.__version__}, pyarrow {pa.__version__}")
print(f"pyarrow of the Parquet files: {arrow}")
for name, value in seen.items():
    print(f"{name}: expected {right[name]}, or an error; seen {value}")
as_stated = seen == right | {"Parquet, Monday first": "4.3", "NDJSON": "3"} and arrow.startswith(
    "an error"
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
