#!/usr/bin/env bash
# DataFusion's EXCEPT ALL takes away every copy of a row, and INTERSECT ALL keeps more copies than there are.
#
# Of a row that is there three times on the left and once on the right, EXCEPT ALL leaves two by the standard, and
# INTERSECT ALL one; DataFusion leaves none, and three, for it joins by "is there". No error; its documentation lists
# both without a word of it. The same SQL in deltalake's QueryBuilder, which is DataFusion, cannot tell apart two
# versions of a table of events that differ in how often something happened: their difference is empty both ways. So
# is a check that "yesterday's load and today's agree". DuckDB, Polars and a Counter in Python agree with one another.
# Count before one compares: GROUP BY all columns, with count(*) as one column more, and EXCEPT on that.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet datafusion==55.0.0 deltalake==1.6.6 duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import sys
from collections import Counter
from importlib.metadata import version

import datafusion
import duckdb
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake

FIRST = [("p1", "open"), ("p1", "open"), ("p1", "open"), ("p2", "click")]
SECOND = [("p1", "open"), ("p2", "click"), ("p2", "click")]
tables = {
    name: pa.table({"person": [row[0] for row in rows], "event": [row[1] for row in rows]})
    for name, rows in (("first", FIRST), ("second", SECOND))
}
fusion, delta, duck = datafusion.SessionContext(), QueryBuilder(), duckdb.connect()
for name, table in tables.items():
    fusion.from_arrow(table, name=name)
    write_deltalake(f"{sys.argv[1]}/{name}", table)
    delta.register(name, DeltaTable(f"{sys.argv[1]}/{name}"))
    duck.register(name, table)
frames = pl.SQLContext({name: pl.from_arrow(table) for name, table in tables.items()})


def rows(table) -> list[tuple]:
    return sorted(zip(*(column.to_pylist() for column in pa.table(table).columns)))


ENGINES = {
    "datafusion": lambda query: rows(fusion.sql(query).to_arrow_table()),
    "deltalake": lambda query: rows(delta.execute(query).read_all()),
    "duckdb": lambda query: sorted(duck.execute(query).fetchall()),
    "polars": lambda query: sorted(frames.execute(query, eager=True).rows()),
}
first, second = Counter(FIRST), Counter(SECOND)
COUNTED = "SELECT person, event, count(*) AS n FROM {} GROUP BY person, event"
CASES = {  # a query, what is right, and what DataFusion says
    "first EXCEPT ALL second": (sorted((first - second).elements()), []),
    "second EXCEPT ALL first": (sorted((second - first).elements()), []),
    "first INTERSECT ALL second": (sorted((first & second).elements()), sorted(FIRST)),
    "second INTERSECT ALL first": (sorted((first & second).elements()), sorted(SECOND)),
}
print("versions:", ", ".join(f"{name} {version(name)}" for name in ENGINES))
as_stated = True
for words, (expected, stated) in CASES.items():
    one, operator, other = words.split(" ", 1)[0], words.split(" ", 1)[1].rsplit(" ", 1)[0], words.rsplit(" ", 1)[1]
    query = f"SELECT person, event FROM {one} {operator} SELECT person, event FROM {other}"
    seen = {engine: run(query) for engine, run in ENGINES.items()}
    print(f"expected: {len(expected)} rows of {words}: {expected}")
    for engine, found in seen.items():
        print(f"seen:     {len(found)} by {engine}")
    as_stated = as_stated and seen["duckdb"] == seen["polars"] == expected
    as_stated = as_stated and seen["datafusion"] == seen["deltalake"] == stated != expected
counted = ENGINES["datafusion"](f"{COUNTED.format('first')} EXCEPT {COUNTED.format('second')}")
print(f"expected: {counted} with a count, by datafusion as well")
as_stated = as_stated and counted == [("p1", "open", 3), ("p2", "click", 1)]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
