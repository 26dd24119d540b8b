#!/usr/bin/env bash
# In Polars' SQL a null IS NOT TRUE is null, so `WHERE unsubscribed IS NOT TRUE` leaves out who has no answer.
#
# IS [NOT] TRUE and IS [NOT] FALSE are there to give true or false of a null, too; Polars' SQL, which follows
# PostgreSQL, makes `x = true`, and its negation, of them. So the common way to say "all who did not opt out" keeps
# one of three people, a count with FILTER is as small, NOT (x IS TRUE) is no way out, and a group by the test has a
# third group. IS DISTINCT FROM, in the same SQL, is right. A SELECT without FROM pays its WHERE no heed either: a row
# that is added with UNION ALL on a condition is always there. No error and no warning; DuckDB and SQLite agree with
# one another. An audience that was tried on DuckDB is smaller, or has a row more, in an asset that asks Polars. Say
# IS DISTINCT FROM true, or coalesce first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1
"$work/venv/bin/python" -W ignore - <<'PY'
import sqlite3
import sys
from importlib.metadata import version

import duckdb
import polars as pl

PEOPLE = [("p1", True), ("p2", False), ("p3", None), ("p4", None)]
QUERIES = {
    "SELECT id FROM people WHERE unsubscribed IS NOT TRUE ORDER BY id": [("p2",)],
    "SELECT id FROM people WHERE unsubscribed IS NOT FALSE ORDER BY id": [("p1",)],
    "SELECT id FROM people WHERE NOT (unsubscribed IS TRUE) ORDER BY id": [("p2",)],
    "SELECT count(*) FILTER (WHERE unsubscribed IS NOT TRUE) FROM people": [(1,)],
    "SELECT count(*) FROM (SELECT unsubscribed IS TRUE FROM people GROUP BY unsubscribed IS TRUE) AS groups": [(3,)],
    "SELECT id FROM people WHERE id = 'p1' UNION ALL SELECT 'everybody' WHERE 1 > 2 ORDER BY id": [("everybody",), ("p1",)],
    "SELECT id FROM people WHERE unsubscribed IS DISTINCT FROM true ORDER BY id": None,
    "SELECT id FROM people WHERE coalesce(unsubscribed, false) IS NOT TRUE ORDER BY id": None,
    "SELECT id FROM people WHERE unsubscribed IS TRUE ORDER BY id": None,
}
people = pl.DataFrame(PEOPLE, schema={"id": pl.String, "unsubscribed": pl.Boolean}, orient="row")
duck = duckdb.connect()
lite = sqlite3.connect(":memory:")
for engine in (duck, lite):
    engine.execute("CREATE TABLE people (id VARCHAR, unsubscribed BOOLEAN)")
    engine.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)

names = ", ".join(f"{name} {version(name)}" for name in ("polars", "duckdb"))
print(f"versions: {names}, SQLite {sqlite3.sqlite_version}")
as_stated = True
for query, stated in QUERIES.items():
    seen = pl.SQLContext(people=people).execute(query, eager=True).rows()
    expected = duck.execute(query).fetchall()
    agrees = True
    if sqlite3.sqlite_version_info >= (3, 39):  # the first that knows IS DISTINCT FROM
        agrees = lite.execute(query).fetchall() == expected
    print(query)
    print(f"  expected: {expected}")
    print(f"  seen:     {seen}")
    as_stated = as_stated and agrees and seen == (expected if stated is None else stated)
    as_stated = as_stated and (stated is None) == (seen == expected)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
