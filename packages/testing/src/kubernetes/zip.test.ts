import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { unzip } from './zip.ts'

/** The smallest archive with one file. */
function zipped(name: string, content: string, deflate: boolean): Buffer {
  const data = deflate ? deflateRawSync(content) : Buffer.from(content)
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(name.length, 26)
  const entry = Buffer.alloc(46)
  entry.writeUInt32LE(0x02014b50, 0)
  entry.writeUInt16LE(deflate ? 8 : 0, 10)
  entry.writeUInt32LE(data.length, 20)
  entry.writeUInt16LE(name.length, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(30 + name.length + data.length, 16)
  return Buffer.concat([local, Buffer.from(name), data, entry, Buffer.from(name), end])
}

for (const deflate of [true, false])
  test(`a ${deflate ? 'deflated' : 'stored'} file is found by its name`, () => {
    const files = unzip(zipped('a/b', 'hello hello hello', deflate), new Set(['a/b']))
    assert.equal(files.get('a/b')?.toString(), 'hello hello hello')
    assert.equal(unzip(zipped('a/b', 'x', deflate), new Set(['other'])).size, 0)
  })

test('what is no archive is refused', () => {
  assert.throws(() => unzip(Buffer.from('hello'), new Set()))
})
