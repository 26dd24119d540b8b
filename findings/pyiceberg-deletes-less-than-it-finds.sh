#!/usr/bin/env bash
# PyIceberg's delete leaves rows that a scan with the very same filter returns.
#
# A delete is done by writing again what the filter does not match, and for that the filter is negated and
# handed to Arrow, whose rules for NaN and null are others than those of the scan. So `score != 1.5` and
# `NOT score > 1` find the rows with NaN and do not delete them; `state NOT IN ('a', 'b')` finds the row
# without a state, unlike `state != 'a'`, and does not delete it either. No error and no count tells of it.
# A job that looks with a scan at what it is going to erase, and then deletes by the same words, keeps rows
# that it reported as gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "pyiceberg[sql-sqlite]==0.12.0" pyarrow==25.0.1
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

FILTERS = (
    "score != 1.5",
    "not (score > 1)",
    "state not in ('bounced', 'dropped')",
    "state != 'bounced'",
    "score > 1",
)
ROWS = pa.table(
    {
        "id": pa.array(range(1, 6), pa.int64()),
        "score": pa.array([float("nan"), 0.5, 1.5, 2.5, None]),
        "state": pa.array(["bounced", "sent", None, "opened", "dropped"]),
    }
)
catalog = SqlCatalog("try", uri=f"sqlite:///{sys.argv[1]}/catalog.db", warehouse=f"file://{sys.argv[1]}/tables")
catalog.create_namespace("feed")
print(f"versions: pyiceberg {version('pyiceberg')}, pyarrow {pa.__version__}")


def found_and_deleted(name: str, condition: str) -> tuple[list[int], list[int]]:
    table = catalog.create_table(f"feed.{name}", schema=ROWS.schema)
    table.append(ROWS)
    found = table.scan(row_filter=condition).to_arrow()["id"].to_pylist()
    table.delete(condition)
    left = table.scan().to_arrow()["id"].to_pylist()
    return sorted(found), [number for number in ROWS["id"].to_pylist() if number not in left]


seen = {}
for number, condition in enumerate(FILTERS):
    seen[condition] = found_and_deleted(f"t{number}", condition)
    print(f"expected: {seen[condition][0]} deleted, as found by  {condition}")
    print(f"seen:     {seen[condition][1]} deleted")
as_stated = seen == {
    "score != 1.5": ([1, 2, 4], [2, 4]),
    "not (score > 1)": ([1, 2], [2]),
    "state not in ('bounced', 'dropped')": ([2, 3, 4], [2, 4]),
    "state != 'bounced'": ([2, 4, 5], [2, 4, 5]),
    "score > 1": ([3, 4], [3, 4]),
}
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
