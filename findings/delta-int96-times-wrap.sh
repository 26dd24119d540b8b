#!/usr/bin/env bash
# delta-rs turns INT96 times beyond 2262 into times long ago.
#
# Spark wrote timestamps as INT96 for years, and such files live on below Delta tables. "Valid until" is
# often the last day of 9999. deltalake reads INT96 as nanoseconds in 64 bits, where that day does not fit,
# and casts what is left to microseconds: the change feed and SQL both give a day in 1816, with no error. A
# pipeline that sends changes from such a table sends wrong rows that look right. Either the files are read
# by a reader that takes INT96 as microseconds, or such tables are refused before the first file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deltalake==1.6.6 arro3-core==0.9.1 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

table = Path(sys.argv[1]) / "contracts"
log = table / "_delta_log"
log.mkdir(parents=True)
times = [datetime(2026, 3, 8, 9, 7, 5, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
rows = pa.table({"id": [1, 2], "ends_at": pa.array(times, pa.timestamp("us", "UTC"))})
part = table / "part-0.parquet"
pq.write_table(rows, part, use_deprecated_int96_timestamps=True, store_schema=False)


def field(name, kind):
    return {"name": name, "type": kind, "nullable": True, "metadata": {}}


schema = {"type": "struct", "fields": [field("id", "long"), field("ends_at", "timestamp")]}
actions = [
    {"commitInfo": {"timestamp": 1772960825000, "operation": "WRITE"}},
    {"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}},
    {
        "metaData": {
            "id": "3b0c2f6e-50d1-4a7e-9d55-1f2a6c7b8e90",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(schema),
            "partitionColumns": [],
            "configuration": {"delta.enableChangeDataFeed": "true"},
            "createdTime": 1772960825000,
        }
    },
    {
        "add": {
            "path": part.name,
            "partitionValues": {},
            "size": part.stat().st_size,
            "modificationTime": 1772960825000,
            "dataChange": True,
        }
    },
]
(log / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))

opened = deltalake.DeltaTable(table)
sql = deltalake.QueryBuilder().register("t", opened)
readers = {
    "pyarrow, INT96 as microseconds": pq.read_table(part, coerce_int96_timestamp_unit="us"),
    "deltalake, change feed": pa.table(opened.load_cdf(0).read_all()),
    "deltalake, SQL": pa.table(sql.execute("SELECT * FROM t ORDER BY id").read_all()),
}
seen = {
    name: [f"{time:%Y-%m-%d}" for time in found["ends_at"].to_pylist()]
    for name, found in readers.items()
}
right, wrong = ["2026-03-08", "9999-12-31"], ["2026-03-08", "1816-03-29"]
print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
print(f"expected: {right} from every reader, or an error")
for name, days in seen.items():
    print(f"seen:     {days} from {name}")
as_stated = list(seen.values()) == [right, wrong, wrong]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
