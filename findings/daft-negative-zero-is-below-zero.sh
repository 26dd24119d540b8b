#!/usr/bin/env bash
# Daft takes -0.0 for less than 0.0, and for another value in "=" and distinct.
#
# By IEEE 754, and so for SQL engines and Polars, both zeros are equal. Daft compares floats by their total
# order: "balance < 0" finds a balance of -0.0, "balance = 0" does not, and distinct() keeps two zeros
# apart. -0.0 comes of ordinary arithmetic, such as 0 * -1.5 or rounding -0.001, and Parquet carries it. So a
# report by Daft on the files of a feed counts settled accounts as overdrawn, and DuckDB's on the same files
# does not. A pipeline that wants one answer from all readers adds 0.0 to such a column before it writes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet daft==0.7.26 duckdb==2.0.0 polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==25.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version

import daft
import duckdb
import polars as pl

FILE = f"{sys.argv[1]}/accounts.parquet"
accounts = pl.DataFrame({"account": [1, 2, 3], "balance": [0 * -1.5, 0.0, -4.0]})
accounts.write_parquet(FILE)
frame, lazy = daft.read_parquet(FILE), pl.scan_parquet(FILE)


def by_duckdb(question):
    return duckdb.sql(f"SELECT {question} FROM '{FILE}'").fetchall()[0][0]


polars_answers = [
    lazy.filter(pl.col("balance") < 0).collect().height,
    lazy.filter(pl.col("balance") == 0).collect().height,
    lazy.select(pl.col("balance").n_unique()).collect().item(),
]
duckdb_answers = [
    by_duckdb("count(*) FILTER (balance < 0)"),
    by_duckdb("count(*) FILTER (balance = 0)"),
    by_duckdb("count(DISTINCT balance)"),
]
daft_answers = [
    frame.where(daft.col("balance") < 0).count_rows(),
    frame.where(daft.col("balance") == 0).count_rows(),
    frame.select("balance").distinct().count_rows(),
]
print("versions:", ", ".join(f"{name} {version(name)}" for name in ("daft", "duckdb", "polars")))
print("accounts below zero, at zero, and different balances of [-0.0, 0.0, -4.0]:")
print(f"expected: {polars_answers} from Polars, {duckdb_answers} from DuckDB")
print(f"seen:     {daft_answers} from Daft")
as_stated = polars_answers == duckdb_answers == [1, 2, 2] and daft_answers == [2, 1, 3]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
