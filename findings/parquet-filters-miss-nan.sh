#!/usr/bin/env bash
# DuckDB and pyarrow answer filters on Parquet as if no NaN were in the file.
#
# A Parquet file tells the least and the largest value of a column, and by the format NaN is left out of
# both. Readers that skip by these numbers have to allow for NaN behind them. DuckDB does for its own files,
# and not for those of pyarrow: isnan() is true of no row, so that "not isnan()" gives the NaN back as well,
# and a column of one number and NaN counts as constant, so that "= 21.5" returns the NaN. pyarrow skips the
# whole file of such a column for is_nan() and for "!=". The same filters on the same rows in memory are
# right. A check of a pipeline that looks for NaN in its files finds none, and reports them as clean.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==2.0.0 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

CELSIUS = pc.field("celsius")
VARIED, STEADY = [20.0, 21.5, float("nan")], [21.5, 21.5, float("nan")]
CASES = [
    ("DuckDB", "isnan(celsius)", VARIED),
    ("DuckDB", "NOT isnan(celsius)", VARIED),
    ("DuckDB", "celsius = 21.5", STEADY),
    ("pyarrow", pc.is_nan(CELSIUS), STEADY),
    ("pyarrow", CELSIUS != 21.5, STEADY),
]


def found(reader, condition, source):
    """The values that a reader finds in a table in memory, or in a file."""
    if reader == "pyarrow":
        if isinstance(source, str):
            return ds.dataset(source).to_table(filter=condition)["celsius"].to_pylist()
        return source.filter(condition)["celsius"].to_pylist()
    relation = duckdb.read_parquet(source) if isinstance(source, str) else duckdb.from_arrow(source)
    return [value for (value,) in relation.filter(condition).fetchall()]


print(f"versions: duckdb {duckdb.__version__}, pyarrow {pa.__version__}")
results = []
by_pyarrow, by_duckdb = (f"{sys.argv[1]}/{name}.parquet" for name in ("pyarrow", "duckdb"))
for reader, condition, values in CASES:
    rows = pa.table({"celsius": values})
    pq.write_table(rows, by_pyarrow)
    duckdb.from_arrow(rows).write_parquet(by_duckdb)
    results.append(
        [str(found(reader, condition, source)) for source in (rows, by_pyarrow, by_duckdb)]
    )
    print(f"{reader}, {condition} of {values}:")
    print(f"  expected, as in memory:    {results[-1][0]}")
    print(f"  seen in a file of pyarrow: {results[-1][1]}")
    print(f"  seen in a file of DuckDB:  {results[-1][2]}")
as_stated = results == [
    ["[nan]", "[]", "[nan]"],
    ["[20.0, 21.5]", str(VARIED), "[20.0, 21.5]"],
    ["[21.5, 21.5]", str(STEADY), "[21.5, 21.5]"],
    ["[nan]", "[]", "[nan]"],
    ["[nan]", "[]", "[nan]"],
]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
