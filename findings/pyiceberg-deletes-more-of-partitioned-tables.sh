#!/usr/bin/env bash
# PyIceberg's delete takes rows without a value along, which its scan does not find, once a table is partitioned.
#
# `plan != 'free'` finds no row whose plan is null, and without partitions the delete of the same words keeps it, as
# SQL does. Partitioned by plan, or by a bucket or a beginning of it, the file of the null partition is dropped whole,
# for the filter is first put to the partition's value, and there null differs from 'free'. overwrite() with a filter
# does the same, and so does `NOT (plan = 'free')`; `plan LIKE` does not. No error, no warning, and rows that nobody
# named are gone. A job that looks with a scan at what it is going to delete, or that was tried on a small table
# without partitions, loses people: say `AND plan IS NOT NULL`, which is right in both. DuckDB shows what SQL makes of
# it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "pyiceberg[sql-sqlite,pyiceberg-core]==0.12.0" pyarrow==25.0.1 duckdb==2.0.1
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import logging
import sys
from importlib.metadata import version

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, IdentityTransform, TruncateTransform
from pyiceberg.types import NestedField, StringType

logging.disable(logging.CRITICAL)
ROWS = pa.table({"person": ["p1", "p2", "p3", "p4"], "plan": pa.array(["free", "team", None, "pro"])})
SCHEMA = Schema(NestedField(1, "person", StringType()), NestedField(2, "plan", StringType()))
SPECS = {
    "no partitions": PartitionSpec(),
    "identity": PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "plan_part")),
    "bucket": PartitionSpec(PartitionField(2, 1000, BucketTransform(8), "plan_part")),
    "truncate": PartitionSpec(PartitionField(2, 1000, TruncateTransform(2), "plan_part")),
}
FILTERS = (
    "plan != 'free'",
    "not (plan = 'free')",
    "plan not like 'fr%'",
    "plan != 'free' and plan is not null",
)
catalog = SqlCatalog("try", uri=f"sqlite:///{sys.argv[1]}/catalog.db", warehouse=f"file://{sys.argv[1]}/tables")
catalog.create_namespace("feed")


def tried(number: int, spec: PartitionSpec, condition: str, *, overwrite: bool) -> tuple[list[str], list[str]]:
    """Whom a scan finds, and who is gone after a delete, or an overwrite, with the same condition."""
    table = catalog.create_table(f"feed.t{number}", schema=SCHEMA, partition_spec=spec)
    table.append(ROWS)
    found = table.scan(row_filter=condition).to_arrow()["person"].to_pylist()
    if overwrite:
        table.overwrite(ROWS.slice(0, 0), overwrite_filter=condition)
    else:
        table.delete(condition)
    left = table.refresh().scan().to_arrow()["person"].to_pylist()
    return sorted(found), sorted(set(ROWS["person"].to_pylist()) - set(left))


duck = duckdb.connect()
duck.register("people", ROWS)
print("versions:", ", ".join(f"{name} {version(name)}" for name in ("pyiceberg", "pyiceberg-core", "pyarrow", "duckdb")))
number, as_stated = 0, True
for condition in FILTERS:
    right = [row[0] for row in duck.execute(f"SELECT person FROM people WHERE {condition} ORDER BY person").fetchall()]
    print(f"expected: {right} by {condition}")
    for name, spec in SPECS.items():
        for overwrite in (False, True):
            number += 1
            found, gone = tried(number, spec, condition, overwrite=overwrite)
            print(f"seen:     {found} found, {gone} gone by {'overwrite' if overwrite else 'delete'}, {name}")
            more = condition in FILTERS[:2] and name != "no partitions"
            as_stated = as_stated and found == right == ["p2", "p4"]
            as_stated = as_stated and gone == (["p2", "p3", "p4"] if more else right)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
