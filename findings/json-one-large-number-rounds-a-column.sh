#!/usr/bin/env bash
# One integer beyond 64 bits signed makes pyarrow and DataFusion read a whole JSON column as floats.
#
# Both guess an integer column as int64. Where a single line holds a number that is larger (an unsigned
# 64-bit hash, say), the column becomes double without a word, so that all other IDs in it are rounded: from 2^53
# on, rows of different IDs get the same one. Polars takes a wider integer instead. DuckDB does for unsigned
# ones, and falls back to double only beyond those. The outcome depends on one record of somebody else: IDs
# in a JSON feed are safe as texts only, or with a schema given to the reader.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet datafusion==55.0.0 duckdb==2.0.0 polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.json as pj
from datafusion import SessionContext

ORDINARY, LARGE = [2**53, 2**53 + 1], 2**64 - 1
READERS = {
    "Polars": lambda file: pl.read_ndjson(file)["id"].to_list(),
    "DuckDB": lambda file: [row[0] for row in duckdb.sql(f"SELECT id FROM '{file}'").fetchall()],
    "pyarrow": lambda file: pj.read_json(file)["id"].to_pylist(),
    "DataFusion": lambda file: SessionContext().read_json(str(file)).to_pydict()["id"],
}
names = ("datafusion", "duckdb", "polars", "pyarrow")
print("versions:", ", ".join(f"{name} {version(name)}" for name in names))
seen = {}
for ids in (ORDINARY, [*ORDINARY, LARGE]):
    file = Path(sys.argv[1], f"{len(ids)}.json")
    file.write_text("".join(f'{{"id": {value}}}\n' for value in ids))
    print(f"expected: {ids}")
    for name, read in READERS.items():
        seen[name, len(ids)] = read(file)
        print(f"seen:     {seen[name, len(ids)]} from {name}")
exact = [*ORDINARY, LARGE]
rounded = [float(2**53), float(2**53), float(2**64)]
as_stated = all(seen[name, 2] == ORDINARY for name in READERS) and all(
    seen[name, 3] == wanted and [type(one) for one in seen[name, 3]] == [type(wanted[0])] * 3
    for name, wanted in {"Polars": exact, "DuckDB": exact, "pyarrow": rounded, "DataFusion": rounded}.items()
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
