#!/usr/bin/env bash
# DataFusion and Daft read several CSV files by the place of columns, whatever their headers say.
#
# Both take the names of columns from one file and skip the first line of the others without a look at it. A
# file whose columns stand in another order gives cities as countries, with no error, also where the reader is
# given the schema. Daft goes on if a file has a column more: from there on, all values move by one. DuckDB and
# pyarrow go by the names. A feed of CSV files must never change the order of its columns, and add new ones at
# the end alone, though a header seems to allow both; its readers should compare headers, or read a file at a
# time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet daft==0.7.26 datafusion==55.0.0 duckdb==2.0.1 pyarrow==25.0.1
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import daft
import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from datafusion import SessionContext

FILES = {
    "monday": "id,city,country\n1,Lyon,France\n",
    "tuesday": "id,country,city\n2,Japan,Kobe\n",
    "wednesday": "id,plan,city,country\n3,team,Cork,Ireland\n",
}
SCHEMA = pa.schema([("id", pa.int64()), ("city", pa.string()), ("country", pa.string())])
RIGHT = [("Lyon", "France"), ("Kobe", "Japan")]
MOVED = [("Lyon", "France"), ("Japan", "Kobe")]
paths = {}
for name, text in FILES.items():
    paths[name] = str(Path(sys.argv[1], f"{name}.csv"))
    Path(paths[name]).write_text(text)
two = [paths["monday"], paths["tuesday"]]
typed = {field.name: daft.DataType.from_arrow_type(field.type) for field in SCHEMA}


def places(table):
    """City and country of each row, by id."""
    columns = table if isinstance(table, dict) else table.to_pydict()
    rows = zip(columns["id"], columns["city"], columns["country"], strict=True)
    return [(city, country) for _, city, country in sorted(rows)]


def by_datafusion(files, **options):
    return places(SessionContext().read_csv(files, **options))


def by_daft(files, **options):
    return places(daft.read_csv(files, **options))


one_by_one = {
    "DataFusion, file by file": [row for file in two for row in by_datafusion([file])],
    "Daft, file by file": [row for file in two for row in by_daft([file])],
    "DuckDB": places(duckdb.sql(f"FROM read_csv({two})").arrow().read_all()),
    "pyarrow": places(ds.dataset(two, format="csv").to_table()),
}
together = {
    "DataFusion": by_datafusion(two),
    "DataFusion with a schema": by_datafusion(two, schema=SCHEMA),
    "Daft": by_daft(two),
    "Daft with a schema": by_daft(two, schema=typed),
}
more = by_daft([paths["monday"], paths["wednesday"]])
print("versions:", ", ".join(f"{name} {version(name)}" for name in ("daft", "datafusion", "duckdb", "pyarrow")))
for name, found in one_by_one.items():
    print(f"expected: {found} from {name}")
for name, found in together.items():
    print(f"seen:     {found} from {name}")
print(f"seen:     {more} from Daft, where a column was added before the city")
as_stated = (
    all(found == RIGHT for found in one_by_one.values())
    and all(found == MOVED for found in together.values())
    and more == [("Lyon", "France"), ("team", "Cork")]
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
