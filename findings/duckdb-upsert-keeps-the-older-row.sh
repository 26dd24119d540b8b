#!/usr/bin/env bash
# DuckDB's upsert keeps the first of two rows of one key, and says nothing.
#
# A reader loads a day's files of changes with INSERT OR REPLACE, or ON CONFLICT DO UPDATE, in the order of
# their times, so that the newest row of a key stays. If both rows of a key come in one statement, DuckDB
# keeps the first: the older. PostgreSQL refuses such a statement, SQLite keeps the last. Files of changes
# hold several rows of one key as a rule, so their readers end with old data, unless they pick the newest
# row of each key first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.0
"$work/venv/bin/python" - <<'PY'
import sqlite3
import sys

import duckdb

TABLE = "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, seq INTEGER)"
CHANGES = (
    "SELECT * FROM (VALUES (1, 'old@example.org', 1), (1, 'new@example.org', 2)) AS v (id, email, seq) "
    "WHERE true ORDER BY seq"
)
SQLITE = CHANGES.replace("SELECT * FROM", "WITH v (id, email, seq) AS").replace(
    " AS v (id, email, seq) ", " SELECT * FROM v "
)
UPSERTS = {
    "INSERT OR REPLACE": "INSERT OR REPLACE INTO people {}",
    "ON CONFLICT DO UPDATE": "INSERT INTO people {} ON CONFLICT (id) DO UPDATE "
    "SET email = excluded.email, seq = excluded.seq",
}


def left(connection, statement, changes):
    connection.execute("DROP TABLE IF EXISTS people")
    connection.execute(TABLE)
    connection.execute(statement.format(changes))
    return connection.execute("SELECT * FROM people").fetchall()


by_duckdb = {name: left(duckdb.connect(), sql, CHANGES) for name, sql in UPSERTS.items()}
by_sqlite = {name: left(sqlite3.connect(":memory:"), sql, SQLITE) for name, sql in UPSERTS.items()}
old, new = [(1, "old@example.org", 1)], [(1, "new@example.org", 2)]
print(f"versions: duckdb {duckdb.__version__}, sqlite {sqlite3.sqlite_version}")
print(f"expected: {new}, or an error")
for name in UPSERTS:
    print(f"seen:     {by_duckdb[name]} from DuckDB, {name}")
    print(f"seen:     {by_sqlite[name]} from SQLite, {name}")
as_stated = set(map(str, by_duckdb.values())) == {str(old)} and all(
    rows == new for rows in by_sqlite.values()
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
