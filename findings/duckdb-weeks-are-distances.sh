#!/usr/bin/env bash
# DuckDB's date_diff counts boundaries for months, quarters and years, but distances for weeks.
#
# From Sunday, 31 December to Monday, 1 January one month, one quarter, one year and one week begin. DuckDB's
# `date_diff` counts the first three and says 0 for 'week': there it divides the days by seven. ClickHouse
# says 1, as the other warehouses do that know the function, and so does the difference of DuckDB's own
# `date_trunc('week', …)`. A question such as "how many weeks after signing up" put into one SQL for two
# engines, or translated from one to the other, moves people from one weekly cohort to the next.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.1 chdb==4.4.0
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import chdb
import duckdb

DAYS = [("2023-12-31", "2024-01-01"), ("2024-01-06", "2024-01-08"), ("2024-01-03", "2024-01-10")]
UNITS = ("week", "month", "year")


def by_duckdb(sql: str) -> int:
    return int(duckdb.sql(f"SELECT {sql}").fetchall()[0][0])


def by_clickhouse(sql: str) -> int:
    return int(str(chdb.query(f"SELECT {sql}", "TSV")))


print(f"versions: duckdb {duckdb.__version__}, chdb {version('chdb')}")
as_stated = True
for first, last in DAYS:
    between = {unit: f"date_diff('{unit}', DATE '{first}', DATE '{last}')" for unit in UNITS}
    weeks = by_duckdb(
        f"(date_trunc('week', DATE '{last}')::DATE - date_trunc('week', DATE '{first}')::DATE) // 7"
    )
    right = {unit: by_clickhouse(sql) for unit, sql in between.items()}
    seen = {unit: by_duckdb(sql) for unit, sql in between.items()}
    print(f"expected: {first} to {last}: {right} (ClickHouse), {weeks} Monday(s) by date_trunc")
    print(f"seen:     {first} to {last}: {seen}")
    whole = 1 if first == "2024-01-03" else 0
    as_stated = as_stated and right["week"] == weeks == 1 and seen == {**right, "week": whole}
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
