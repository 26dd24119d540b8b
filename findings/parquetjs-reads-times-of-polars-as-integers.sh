#!/usr/bin/env bash
# @dsnp/parquetjs gives bare integers for the timestamps that Polars wrote.
#
# Parquet has two ways to say that 64 bits are a time: the older converted type, and the logical type that
# replaced it. pyarrow writes both for times in UTC. Polars writes the logical type alone, and readers that
# know the older one only, like @dsnp/parquetjs here and old parquet-mr below Spark and Hive, see an
# integer: microseconds as a number, with no error. Two files of one column then differ in type by who wrote
# them. A pipeline that writes with Polars has to add the converted type, or to tell its readers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

frame = pl.DataFrame({"id": [1], "created_at": [datetime(2026, 3, 8, 9, 7, 5, tzinfo=UTC)]})
frame.write_parquet(f"{sys.argv[1]}/polars.parquet", compression="uncompressed")
pq.write_table(frame.to_arrow(), f"{sys.argv[1]}/pyarrow.parquet", compression="none")
print(f"versions: polars {pl.__version__}, pyarrow {pa.__version__}")
PY
npm install --silent --no-audit --no-fund --prefix "$work" @dsnp/parquetjs@1.8.8
cd "$work"
node - <<'JS'
const parquet = require('@dsnp/parquetjs')
const { version } = require('@dsnp/parquetjs/package.json')

async function created(file) {
  const reader = await parquet.ParquetReader.openFile(file)
  const row = await reader.getCursor().next()
  await reader.close()
  return row.created_at
}

async function main() {
  const [pyarrow, polars] = [await created('pyarrow.parquet'), await created('polars.parquet')]
  const time = new Date('2026-03-08T09:07:05Z')
  const told = (value) => (value instanceof Date ? `the time ${value.toISOString()}` : `the ${typeof value} ${value}`)
  console.log(`versions: @dsnp/parquetjs ${version}, node ${process.version}`)
  console.log(`expected: ${told(time)} from both files`)
  console.log(`seen:     ${told(pyarrow)} from the file of pyarrow`)
  console.log(`seen:     ${told(polars)} from the file of Polars`)
  const asStated = pyarrow instanceof Date && +pyarrow === +time && polars === BigInt(+time) * 1000n
  console.log(asStated ? 'as stated' : 'no longer as stated')
  process.exitCode = asStated ? 0 : 1
}

main()
JS
