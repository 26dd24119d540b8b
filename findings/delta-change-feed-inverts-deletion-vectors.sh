#!/usr/bin/env bash
# The change feed of delta-rs takes a lone deletion vector the wrong way round.
#
# A deletion vector lists the rows of a file that are gone. Where a commit swaps a file's vector (remove and
# add of one path), deltalake's change feed is right. Where such a file is removed alone (its last rows are
# deleted) or added alone (a table is restored), the feed tells of the rows in the vector, which were gone
# all the while, and keeps silent on the rows that really go or come. A pipeline that follows the feed never
# learns of the deletion, and sends rows again that were deleted long ago; the snapshots of the same
# versions are right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deltalake==1.6.6 arro3-core==0.9.1 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import json
import struct
import sys
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

DIGITS = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)


def z85(data):
    """Four bytes as five digits of base 85."""
    text = ""
    for start in range(0, len(data), 4):
        number = int.from_bytes(data[start : start + 4], "big")
        text += "".join(DIGITS[number // 85**place % 85] for place in (4, 3, 2, 1, 0))
    return text


def vector(row):
    """An inline deletion vector of one row: a roaring bitmap with one array container."""
    container = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, row)
    bitmap = struct.pack("<IQI", 1681511377, 1, 0) + container
    padded = bitmap + bytes(-len(bitmap) % 4)
    return {
        "storageType": "i",
        "pathOrInlineDv": z85(padded),
        "sizeInBytes": len(bitmap),
        "cardinality": 1,
    }


table = Path(sys.argv[1]) / "people"
(table / "_delta_log").mkdir(parents=True)
part = table / "part-0.parquet"
pq.write_table(pa.table({"id": pa.array([10, 11, 12], pa.int64())}), part)


def commit(version, *actions):
    info = {"commitInfo": {"timestamp": 1772960825000 + version, "operation": "WRITE"}}
    lines = "\n".join(map(json.dumps, (info, *actions)))
    (table / "_delta_log" / f"{version:020}.json").write_text(lines)


file = {
    "path": part.name,
    "partitionValues": {},
    "size": part.stat().st_size,
    "dataChange": True,
}
whole = file | {"modificationTime": 1772960825000, "stats": '{"numRecords":3}'}
without_11 = whole | {"deletionVector": vector(1)}
gone = file | {"deletionTimestamp": 1772960825000, "extendedFileMetadata": True}
schema = {
    "type": "struct",
    "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}}],
}
commit(
    0,
    {
        "protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["deletionVectors"],
            "writerFeatures": ["deletionVectors", "changeDataFeed"],
        }
    },
    {
        "metaData": {
            "id": "a2f4d7c8-3e61-4b0f-8a9d-5c7e1b2d3f40",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(schema),
            "partitionColumns": [],
            "configuration": {
                "delta.enableChangeDataFeed": "true",
                "delta.enableDeletionVectors": "true",
            },
            "createdTime": 1772960825000,
        }
    },
    {"add": whole},
)
commit(1, {"remove": gone}, {"add": without_11})  # 11 is deleted
commit(2, {"remove": gone | {"deletionVector": vector(1)}})  # 10 and 12 are deleted
commit(3, {"add": without_11})  # 10 and 12 come back


def snapshot(version):
    opened = deltalake.DeltaTable(table, version=version)
    sql = deltalake.QueryBuilder().register("t", opened).execute("SELECT id FROM t ORDER BY id")
    return pa.table(sql.read_all())["id"].to_pylist()


def feed(version):
    found = pa.table(deltalake.DeltaTable(table).load_cdf(version, version).read_all())
    return sorted(zip(found["_change_type"].to_pylist(), found["id"].to_pylist(), strict=True))


snapshots = [snapshot(version) for version in range(4)]
feeds = [feed(version) for version in (1, 2, 3)]
right = [
    [("delete", 11)],
    [("delete", 10), ("delete", 12)],
    [("insert", 10), ("insert", 12)],
]
wrong = [[("delete", 11)], [("delete", 11)], [("insert", 11)]]
print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
for version in (1, 2, 3):
    print(f"version {version}: the snapshot goes from {snapshots[version - 1]} to {snapshots[version]}")
    print(f"  expected of the feed: {right[version - 1]}")
    print(f"  seen:                 {feeds[version - 1]}")
as_stated = snapshots == [[10, 11, 12], [10, 12], [], [10, 12]] and feeds == wrong
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
