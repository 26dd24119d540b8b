#!/usr/bin/env bash
# A unit test of SQLMesh passes although the model gives another sum, or another answer, than the test expects.
#
# The rows that a test expects are first turned into the types of what the model gave, and then compared by a
# function of pandas that takes floats and decimals within one in a hundred thousand for equal. So 1,000,009.00 is
# "equal" to 1,000,000.00, also as a decimal(18,2): money. Of 1000000.9 for an integer the fraction is cut off
# first, and a text, "no" or "false", becomes true before it is compared with true. Integers and booleans are
# compared exactly otherwise. Rounding to cents, a cent lost, a share of some hundredths: a test of a mart that
# guards such things is green either way. Cast to text in a test's query, or compare with SQL.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet sqlmesh==0.236.4 duckdb==1.5.6 pandas==2.3.3 sqlglot==30.8.0
mkdir -p "$work/project/models" "$work/project/tests"
cd "$work/project"
cat > config.yaml <<'YAML'
gateways:
  local:
    connection: {type: duckdb}
default_gateway: local
disable_anonymized_analytics: true
model_defaults: {dialect: duckdb}
YAML
cat > models/orders.sql <<'SQL'
MODEL (name shop.orders, kind FULL);
SELECT 1::INT AS person, 0::DECIMAL(18,2) AS price, 0::DOUBLE AS weight, 0::BIGINT AS points, true AS paid
SQL
cat > models/totals.sql <<'SQL'
MODEL (name shop.totals, kind FULL);
SELECT
  person::INT AS person,
  SUM(price)::DECIMAL(18,2) AS price,
  SUM(weight)::DOUBLE AS weight,
  SUM(points)::BIGINT AS points,
  BOOL_AND(paid)::BOOLEAN AS paid
FROM shop.orders
GROUP BY person
SQL
"$work/venv/bin/python" -W ignore - <<'PY' 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
import json
import sys
from importlib.metadata import version
from pathlib import Path

import duckdb
from sqlmesh import Context

HALF = {"person": 1, "price": 500000.0, "weight": 500000.0, "points": 500000, "paid": True}
RIGHT = {"person": 1, "price": 1000000.0, "weight": 1000000.0, "points": 1000000, "paid": True}
STATED = {
    "what the model gives": ({}, True),
    "price 1000000.01": ({"price": 1000000.01}, True),
    "price 1000009.00": ({"price": 1000009.0}, True),
    "price 1000011.00": ({"price": 1000011.0}, False),
    "weight 1000009": ({"weight": 1000009.0}, True),
    "points 1000009": ({"points": 1000009}, False),
    "points 1000000.9": ({"points": 1000000.9}, True),
    "paid false": ({"paid": False}, False),
    'paid "false"': ({"paid": "false"}, True),
}
VERDICT = {True: "pass", False: "fail"}
tests = {
    f"test_{number}": {
        "model": "shop.totals",
        "inputs": {"shop.orders": {"rows": [HALF, HALF]}},
        "outputs": {"query": {"rows": [RIGHT | change]}},
    }
    for number, (change, _) in enumerate(STATED.values())
}
Path("tests/test_totals.yaml").write_text(json.dumps(tests))
db = duckdb.connect()
db.execute("CREATE SCHEMA shop")
db.execute("CREATE TABLE shop.orders (person INT, price DECIMAL(18,2), weight DOUBLE, points BIGINT, paid BOOLEAN)")
db.executemany("INSERT INTO shop.orders VALUES (?, ?, ?, ?, ?)", [list(HALF.values())] * 2)
given = db.execute(Path("models/totals.sql").read_text().partition(";")[2]).fetchone()
result = Context(paths=".").test()
failed = {test.test_name for test, _ in result.failures}
print("versions:", ", ".join(f"{name} {version(name)}" for name in ("sqlmesh", "duckdb", "pandas")))
print(f"DuckDB gives {given}")
seen = {}
for number, (name, (change, _)) in enumerate(STATED.items()):
    seen[name] = f"test_{number}" not in failed
    right = given == tuple((RIGHT | change).values())
    print(f"a test for {name}: expected to {VERDICT[right]}, seen to {VERDICT[seen[name]]}")
as_stated = (
    result.testsRun == len(STATED)
    and not result.errors
    and given == tuple(RIGHT.values())
    and seen == {name: passes for name, (_, passes) in STATED.items()}
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
