#!/usr/bin/env bash
# Lance's merge_insert leaves out new rows whose key is null as soon as the key has an index.
#
# A null equals nothing, so that an upsert inserts what has no key: Lance does on a table without an index, and so
# do delta-rs and DuckDB. With a BTREE or BITMAP index on the column the same call writes the other rows, counts
# them as all that it did, and drops these without an error; a key of two columns, or a merge that also deletes,
# writes them again. An index is made to be faster, often long after the pipeline was tested. People without an
# email are gone; look at the counts that a merge returns, or give each row a key. (That merges skip rows with a
# null key is an open report of Lance's.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pylance==14.0.2 deltalake==1.6.6 duckdb==2.0.1 pyarrow==26.0.1
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import duckdb
import lance
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

STORED = pa.table({"email": ["ann@example.com", "bo@example.com"], "plan": ["free", "free"]})
FEED = pa.table({"email": ["ann@example.com", None, None, "cy@example.com"], "plan": ["team", "a", "b", "c"]})
RIGHT = [("", "a"), ("", "b"), ("ann@example.com", "team"), ("bo@example.com", "free"), ("cy@example.com", "c")]
LESS = [row for row in RIGHT if row[0]]
root = sys.argv[1]


def plain(table):
    return sorted((email or "", plan) for email, plan in zip(*table.to_pydict().values(), strict=True))


def by_lance(index=None, on="email", deletes=False):
    """The rows after a merge into Lance, read by Lance, and what the merge says that it did."""
    path = f"{root}/{index}-{len(on)}-{deletes}.lance"
    dataset = lance.write_dataset(STORED, path)
    if index:
        dataset.create_scalar_index("email", index)
    merge = dataset.merge_insert(on).when_matched_update_all().when_not_matched_insert_all()
    if deletes:
        merge = merge.when_not_matched_by_source_delete()
    told = merge.execute(FEED)
    rows = plain(lance.dataset(path).to_table())
    return rows, told["num_inserted_rows"], lance.dataset(path).count_rows("email IS NULL")


def by_delta():
    write_deltalake(f"{root}/delta", STORED)
    merge = DeltaTable(f"{root}/delta").merge(FEED, "s.email = t.email", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    return plain(DeltaTable(f"{root}/delta").to_pyarrow_table())


def by_duckdb():
    with duckdb.connect() as base:
        base.register("feed", FEED)
        base.register("stored", STORED)
        base.execute("CREATE TABLE people AS FROM stored")
        base.execute("MERGE INTO people USING feed USING (email) WHEN MATCHED THEN UPDATE WHEN NOT MATCHED THEN INSERT")
        return sorted((email or "", plan) for email, plan in base.sql("FROM people").fetchall())


print("versions:", ", ".join(f"{name} {version(name)}" for name in ("pylance", "deltalake", "duckdb")))
delta, base, no_index = by_delta(), by_duckdb(), by_lance()
print(f"expected: {no_index[0]}, {no_index[1]} of them new, from Lance without an index")
print(f"expected: {delta == RIGHT} that delta-rs and {base == RIGHT} that DuckDB say the same")
as_stated = delta == base == RIGHT and no_index == (RIGHT, 3, 2)
for index in ("BTREE", "BITMAP"):
    rows, new, without_key = by_lance(index)
    print(f"seen:     {rows}, {new} of them new, with an index {index}")
    as_stated = as_stated and (rows, new, without_key) == (LESS, 1, 0)
deletes = by_lance("BTREE", deletes=True)
print(f"seen:     {deletes[0]}, {deletes[1]} of them new, with an index and deletes")
as_stated = as_stated and deletes == ([row for row in RIGHT if row[0] != "bo@example.com"], 3, 2)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
