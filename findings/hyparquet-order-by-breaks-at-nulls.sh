#!/usr/bin/env bash
# hyparquet's orderBy gives rows in no order once a text column has a null, and the wrong ones with a limit.
#
# parquetQuery() compares values with JavaScript's < and >. Between a null and a text both are false, so the
# sort takes them for equal, and what stands on either side of a null is never compared: of ten names the first
# four are not the first four of the alphabet. A null among numbers stands where 0 would, among times at 1970, so
# the lowest of a list may be rows without a value. No error, and the documentation says nothing of nulls. A page
# that shows "the first 20 by email" of a feed leaves people out: filter nulls away first ({ $ne: null }), or
# read all rows and sort them oneself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" hyparquet@1.33.0 hyparquet-writer@0.17.0
cd "$work"
cat > try.mjs <<'JS'
import { readFileSync, writeFileSync } from 'node:fs'
import { asyncBufferFromFile, parquetQuery, parquetReadObjects } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version
const name = ['Nina', null, 'Abel', 'Zoe', null, 'Carl', 'Bea', null, 'Yan', 'Dora']
const score = [-5.5, null, 3.5, -7.5, null, 9.5, 0.5, null, -1.5, 4.5]
writeFileSync('people.parquet', Buffer.from(parquetWriteBuffer({
  columnData: [{ name: 'name', data: name, type: 'STRING' }, { name: 'score', data: score, type: 'DOUBLE' }],
})))
const file = await asyncBufferFromFile('people.parquet')
const column = async (orderBy, more) =>
  (await parquetQuery({ file, orderBy, ...more })).map((row) => row[orderBy])

const stored = (await parquetReadObjects({ file })).map((row) => row.name)
const right = stored.filter((value) => value !== null).sort()
const filtered = await column('name', { filter: { name: { $ne: null } } })
const sorted = await column('name', {})
const first = await column('name', { rowEnd: 4 })
const scores = await column('score', {})
const tell = (values) => JSON.stringify(values)
console.log(`versions: hyparquet ${version('hyparquet')}, hyparquet-writer ${version('hyparquet-writer')}, node ${process.version}`)
console.log(`expected: ${tell(right)}, nulls before or after`)
console.log(`seen:     ${tell(filtered)} without the nulls`)
console.log(`seen:     ${tell(sorted)} by orderBy`)
console.log(`seen:     ${tell(first)} by orderBy, the first four`)
console.log(`seen:     ${tell(scores)} by orderBy of numbers`)
const asStated = tell(stored) === tell(name) && tell(filtered) === tell(right)
  && tell(sorted) === tell(['Nina', null, 'Abel', 'Bea', 'Dora', 'Yan', 'Zoe', null, 'Carl', null])
  && tell(first) === tell(['Nina', null, 'Abel', 'Bea'])
  && tell(scores) === tell([-7.5, -5.5, -1.5, null, null, null, 0.5, 3.5, 4.5, 9.5])
console.log(asStated ? 'as stated' : 'no longer as stated')
process.exitCode = asStated ? 0 : 1
JS
node try.mjs
