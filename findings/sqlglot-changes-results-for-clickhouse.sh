#!/usr/bin/env bash
# sqlglot's translation from DuckDB to ClickHouse runs, and answers otherwise.
#
# Functions that bear the same name in both are passed on although they do not do the same: `log` is to the
# base 10 in DuckDB and natural in ClickHouse (for Snowflake it becomes LN outright), `regexp_replace`
# replaces the first match in one and all in the other, `%M` is the minute in one and the month's name in
# the other, a cast to an integer rounds in one and cuts off in the other, and a null in JSON becomes the
# empty text. No warning, also with unsupported_level=RAISE. Marts and audiences that are written once and
# rendered per warehouse give other people and other sums, and nothing fails.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.1 chdb==4.4.0 sqlglot==30.30.0
"$work/venv/bin/python" - <<'PY'
import json
import sys
from importlib.metadata import version

import chdb
import duckdb
import sqlglot

ANSWERS = {
    "round(log(100), 3)": (2.0, 4.605),
    "regexp_replace('a-b-c', '-', '+')": ("a+b-c", "a+b+c"),
    "strftime(TIMESTAMP '2024-01-01 13:05:09', '%H:%M')": ("13:05", "13:January"),
    "CAST(2.7 AS INT)": (3, 2),
    "json_extract_string('{\"plan\": null}', '$.plan')": (None, ""),
}
print(
    f"versions: sqlglot {version('sqlglot')}, duckdb {duckdb.__version__}, chdb {version('chdb')}"
)
found = {}
for expression in ANSWERS:
    sql = f"SELECT {expression} AS x"
    translated = sqlglot.transpile(
        sql, read="duckdb", write="clickhouse", unsupported_level=sqlglot.ErrorLevel.RAISE
    )[0]
    right = duckdb.sql(sql).fetchall()[0][0]
    seen = json.loads(str(chdb.query(translated, "JSONCompactEachRow")))[0]
    found[expression] = (right, seen)
    print(f"expected: {right!r} for {expression}")
    print(f"seen:     {seen!r} from {translated.removeprefix('SELECT ').removesuffix(' AS x')}")
snowflake = sqlglot.transpile("SELECT log(x)", read="duckdb", write="snowflake")[0]
print(f"seen:     {snowflake} for Snowflake, of SELECT log(x)")
as_stated = found == ANSWERS and snowflake == "SELECT LN(x)"
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
