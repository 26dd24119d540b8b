#!/usr/bin/env bash
# Polars reads the time 24:00:00, which DuckDB wrote, as null.
#
# DuckDB and PostgreSQL know 24:00:00 as the end of a day, and tables of opening hours hold it. DuckDB
# writes it to Parquet as 86,400,000,000 microseconds, which Arrow's times of day end before. Polars takes
# the file without an error, and a null for the value: "open until midnight" becomes "unknown". DuckDB reads
# its own file rightly. A pipeline has to look for that time where it reads from a database, and to decide
# on 00:00:00 or a refusal itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.0 polars==2.1.0 polars-runtime-32==2.1.0
"$work/venv/bin/python" - "$work" <<'PY'
import sys

import duckdb
import polars as pl

file = f"{sys.argv[1]}/hours.parquet"
duckdb.sql(
    "SELECT * FROM (VALUES (1, TIME '18:30:00'), (2, TIME '24:00:00')) AS hours (shop, closes)"
).write_parquet(file)
by_duckdb = [
    text for (text,) in duckdb.sql(f"SELECT closes::VARCHAR FROM '{file}' ORDER BY shop").fetchall()
]
frame = pl.read_parquet(file).sort("shop")
by_polars = [None if time is None else str(time) for time in frame["closes"]]
print(f"versions: duckdb {duckdb.__version__}, polars {pl.__version__}")
print(f"expected: {by_duckdb} from both, or an error")
print(f"seen:     {by_duckdb} from DuckDB")
print(f"seen:     {by_polars} from Polars, {frame['closes'].null_count()} null")
as_stated = by_duckdb == ["18:30:00", "24:00:00"] and by_polars == ["18:30:00", None]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
