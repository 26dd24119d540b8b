#!/usr/bin/env bash
# deltalake's Arrow reader gives null for every cell of a table with column mapping.
#
# With column mapping, the names in the Parquet files are not those of the table; a column can then be
# renamed or dropped without writing files anew. deltalake's SQL reader looks the names up.
# DeltaTable.to_pyarrow_table() looks for the table's names in the files, finds none, and fills all columns
# with nulls: right names, right types, right number of rows, no error. For a pipeline that is the worst
# kind of fault: optional columns are sent as null, and nothing says that they were not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deltalake==1.6.6 arro3-core==0.9.1 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import json
import sys
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

table = Path(sys.argv[1]) / "people"
(table / "_delta_log").mkdir(parents=True)
part = table / "part-0.parquet"
physical = pa.schema(
    pa.field(f"col-{number}", kind, metadata={"PARQUET:field_id": str(number)})
    for number, kind in ((1, pa.int64()), (2, pa.string()))
)
pq.write_table(pa.table([[1, 2], ["Ann", "Bo"]], schema=physical), part)


def field(number, name, kind):
    mapped = {
        "delta.columnMapping.id": number,
        "delta.columnMapping.physicalName": f"col-{number}",
    }
    return {"name": name, "type": kind, "nullable": True, "metadata": mapped}


schema = {"type": "struct", "fields": [field(1, "id", "long"), field(2, "name", "string")]}
actions = [
    {"commitInfo": {"timestamp": 1772960825000, "operation": "WRITE"}},
    {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
    {
        "metaData": {
            "id": "6d1e9b52-7c3a-4f08-b6e4-0a9f8c7d5e31",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(schema),
            "partitionColumns": [],
            "configuration": {
                "delta.columnMapping.mode": "name",
                "delta.columnMapping.maxColumnId": "2",
            },
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
(table / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))

opened = deltalake.DeltaTable(table)
sql = deltalake.QueryBuilder().register("t", opened)
by_sql = pa.table(sql.execute("SELECT * FROM t ORDER BY id").read_all()).to_pylist()
by_arrow = opened.to_pyarrow_table().to_pylist()
rows = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bo"}]
print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
print(f"expected: {rows} from both readers, or an error")
print(f"seen:     {by_sql} from SQL")
print(f"seen:     {by_arrow} from to_pyarrow_table()")
as_stated = by_sql == rows and by_arrow == [{"id": None, "name": None}] * 2
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
