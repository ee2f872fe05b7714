import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, configMaps } from '@orrery/api'
import fc from 'fast-check'
import { configMap } from './scripted-server.test-support.ts'
import { decodeEvent, MAX_LINE_BYTES, splitLines, untilAborted } from './watch-stream.ts'
import { ProtocolError } from './wire.ts'

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]) {
  let start = 0
  for (const cut of [...cuts].map((at) => at % (bytes.length + 1)).toSorted((a, b) => a - b)) {
    yield bytes.subarray(start, cut)
    start = cut
  }
  yield bytes.subarray(start)
}

test('lines do not depend on where the network cuts them, inside characters too', async () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => text.replaceAll('\n', ' '))
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''))
      assert.deepEqual(await Array.fromAsync(splitLines(chunksOf(bytes, cuts))), lines)
    }),
  )
})

test('a stream that ends inside a line is an error, not a short event', async () => {
  await assert.rejects(Array.fromAsync(splitLines(chunksOf(Buffer.from('{"a":1}\n{"b"'), []))), ProtocolError)
})

test('a line without an end is cut off at its limit', async () => {
  async function* endless() {
    for (;;) yield new Uint8Array(MAX_LINE_BYTES / 4).fill(0x20)
  }
  await assert.rejects(Array.fromAsync(splitLines(endless())), ProtocolError)
})

test('an ERROR frame is thrown as the error it carries', () => {
  const object = { kind: 'Status', status: 'Failure', message: 'too old', reason: 'Expired', code: 410 }
  const isExpired = (error: unknown) => error instanceof ApiError && error.code === 410 && error.reason === 'Expired'
  assert.throws(() => decodeEvent(configMaps, JSON.stringify({ type: 'ERROR', object })), isExpired)
})

for (const { name, line } of [
  { name: 'text', line: 'hello' },
  { name: 'an unknown type', line: '{"type":"NEW","object":{}}' },
  { name: 'an object without a name', line: '{"type":"ADDED","object":{"metadata":{}}}' },
  { name: 'a bookmark without a revision', line: '{"type":"BOOKMARK","object":{"metadata":{}}}' },
]) {
  test(`${name} is not an event`, () => assert.throws(() => decodeEvent(configMaps, line), ProtocolError))
}

test('metadata-only events leave out everything else', () => {
  const line = JSON.stringify({ type: 'ADDED', object: { ...configMap('a', '1'), data: { secret: 'x' } } })
  assert.deepEqual(decodeEvent(configMaps, line, true), { type: 'ADDED', object: configMap('a', '1') })
})

test('an abort ends a body whose producer hangs, and dismisses the producer', async () => {
  const stop = new AbortController()
  let isDismissed = false
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return: async () => {
        isDismissed = true
        return { done: true, value: undefined }
      },
    }),
  }
  const reading = Array.fromAsync(untilAborted(body, stop.signal))
  stop.abort(new Error('enough'))
  await assert.rejects(reading)
  assert.equal(isDismissed, true)
})
