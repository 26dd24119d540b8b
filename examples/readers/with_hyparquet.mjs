// hyparquet: files on standard input, one a line; what was seen as JSON lines.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

function text(value) {
  if (value === null || value === undefined) return '~'
  if (value instanceof Date) return String(BigInt(value.getTime()) * 1000n)
  if (Array.isArray(value)) return '[' + value.map(text).join(',') + ']'
  if (typeof value === 'string') return Buffer.byteLength(value) + ':' + value
  return String(value)
}

// Times in microseconds: a Date has milliseconds alone.
const parsers = {
  timestampFromMilliseconds: (value) => value * 1000n,
  timestampFromMicroseconds: (value) => value,
}

for await (const line of createInterface({ input: process.stdin })) {
  const file = await asyncBufferFromFile(line)
  const metadata = await parquetMetadataAsync(file)
  const names = parquetSchema(metadata).children.map((one) => one.element.name)
  const rows = await parquetReadObjects({ file, metadata, compressors, parsers })
  const seen = {}
  for (const name of names) {
    const hash = createHash('sha256')
    let nulls = 0
    for (const row of rows) {
      if (row[name] === null || row[name] === undefined) nulls += 1
      hash.update(text(row[name]) + '\n')
    }
    seen[name] = [rows.length, nulls, hash.digest('hex')]
  }
  console.log(JSON.stringify([line, seen]))
}
