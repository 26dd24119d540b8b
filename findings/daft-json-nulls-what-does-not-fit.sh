#!/usr/bin/env bash
# Daft's JSON reader turns values of another shape into null, and cuts fractions of seconds off.
#
# A column of texts that is an object or a list in some lines (a property that senders fill as they like)
# comes as text where it is one, and as null elsewhere. A date among times is null too. Where times with and
# without a fraction stand in one column, all come without it, so that two moments become one. Polars and
# DuckDB keep the text of what does not fit. Nothing is raised or logged: whoever reads a feed of JSON
# records this way loses the values that differ from the usual, and has to declare the columns as text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet daft==0.7.26 duckdb==2.0.0 polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==25.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import daft
import duckdb
import polars as pl

CASES = {
    "an object among texts": ['"red"', '{"shade": 4}'],
    "a list among texts": ['"red"', '["red", "blue"]'],
    "a date among times": ['"2026-03-01T08:30:00"', '"2026-03-01"'],
    "a fraction among times": ['"2026-03-01T08:30:00.750Z"', '"2026-03-01T08:30:00Z"'],
}
EXPECTED_OF_DAFT = {
    "an object among texts": ["red", "None"],
    "a list among texts": ["red", "None"],
    "a date among times": ["2026-03-01 08:30:00", "None"],
    "a fraction among times": ["2026-03-01 08:30:00+00:00"] * 2,
}
print("versions:", ", ".join(f"{name} {version(name)}" for name in ("daft", "duckdb", "polars")))
seen, kept = {}, []
for number, (name, values) in enumerate(CASES.items()):
    file = Path(sys.argv[1], f"{number}.ndjson")
    file.write_text("".join(f'{{"colour": {value}}}\n' for value in values))
    by_polars = pl.read_ndjson(file)["colour"].to_list()
    by_duckdb = [row[0] for row in duckdb.sql(f"SELECT colour::VARCHAR FROM '{file}'").fetchall()]
    seen[name] = [str(value) for value in daft.read_json(str(file)).to_pydict()["colour"]]
    kept += [None not in by_polars, None not in by_duckdb, len(set(map(str, by_polars))) == 2]
    print(f"{name}: {values}")
    print(f"  expected: {by_polars} as Polars reads it, {by_duckdb} as DuckDB does")
    print(f"  seen:     {seen[name]} from Daft")
as_stated = all(kept) and seen == EXPECTED_OF_DAFT
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
