import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { ApiError, isJsonObject, type JsonObject, parseJson } from '@orrery/api'
import * as fc from 'fast-check'
import { decodeProtobuf, decodeProtobufObject } from './decode-protobuf.ts'
import { ProtobufError } from './wire.ts'

const folder = new URL('testdata/', import.meta.url)
const golden = readdirSync(folder).filter((name) => name.endsWith('.pb'))

function json(name: string): JsonObject {
  const { value } = parseJson(readFileSync(new URL(name.replace(/pb$/, 'json'), folder)))
  assert.ok(isJsonObject(value))
  return value
}

test('there is golden data for every kind that the hub reads', () => assert.equal(golden.length, 11))

for (const name of golden)
  test(`what Go writes as protobuf reads as what Go writes as JSON: ${name}`, () => {
    assert.deepEqual(decodeProtobuf(readFileSync(new URL(name, folder))).value, json(name))
  })

/** Length-delimited field. */
const bytes = (field: number, content: Uint8Array | string): Buffer => {
  const data = Buffer.from(content)
  assert.ok(data.length < 128)
  return Buffer.concat([Buffer.from([(field << 3) | 2, data.length]), data])
}
const envelope = (apiVersion: string, kind: string, raw: Uint8Array): Buffer => {
  const type = Buffer.concat([bytes(1, apiVersion), bytes(2, kind)])
  return Buffer.concat([
    Buffer.from([0x6b, 0x38, 0x73, 0]),
    bytes(1, type),
    bytes(2, raw),
    Buffer.from([0x1a, 0, 0x22, 0]),
  ])
}

test('a body with an empty type takes the type of the endpoint', () => {
  const body = envelope('', '', bytes(1, bytes(1, 'a')))
  const expected = { apiVersion: 'v1', kind: 'ConfigMap' }
  assert.deepEqual(decodeProtobufObject(body, expected), { ...expected, metadata: { name: 'a' } })
  assert.throws(() => decodeProtobuf(body), ProtobufError)
})

test('DeleteOptions are read in every API version', () => {
  for (const apiVersion of ['v1', 'meta.k8s.io/v1']) {
    const body = envelope(apiVersion, 'DeleteOptions', Buffer.from([0x08, 0]))
    assert.deepEqual(decodeProtobuf(body).value, { apiVersion, kind: 'DeleteOptions', gracePeriodSeconds: 0 })
  }
})

test('zero values are left out, but for pointers and fields that JSON always writes', () => {
  // A Lease with a zero time, a zero duration (pointer), and an empty name; an owner without kind.
  const lease = Buffer.concat([
    bytes(1, Buffer.concat([bytes(1, ''), bytes(8, '')])),
    bytes(2, Buffer.from([0x10, 0, 0x1a, 0])),
  ])
  assert.deepEqual(decodeProtobuf(envelope('coordination.k8s.io/v1', 'Lease', lease)).value, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    spec: { leaseDurationSeconds: 0 },
  })
  const owned = bytes(1, bytes(13, bytes(3, 'n')))
  assert.deepEqual(decodeProtobuf(envelope('v1', 'Secret', owned)).value['metadata'], {
    ownerReferences: [{ name: 'n', kind: '', uid: '', apiVersion: '' }],
  })
})

test('a map key __proto__ is data', () => {
  const body = envelope('v1', 'ConfigMap', bytes(2, Buffer.concat([bytes(1, '__proto__'), bytes(2, 'v')])))
  const data = decodeProtobuf(body).value['data']
  assert.ok(isJsonObject(data))
  assert.deepEqual(Object.entries(data), [['__proto__', 'v']])
})

test('64-bit integers keep their digits, negative ones too', () => {
  const varint = (value: bigint): Buffer => {
    const out: number[] = []
    for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
      if (rest < 128n) return Buffer.from([...out, Number(rest)])
      out.push(Number(rest & 127n) | 128)
    }
  }
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const body = envelope('v1', 'DeleteOptions', Buffer.concat([Buffer.from([0x08]), varint(value)]))
      const seconds = decodeProtobuf(body).value['gracePeriodSeconds']
      assert.ok(typeof seconds === 'number' || typeof seconds === 'bigint')
      assert.equal(BigInt(seconds), value)
    }),
  )
})

for (const { name, body } of [
  { name: 'without the prefix', body: Buffer.from('abc') },
  { name: 'of an unknown kind', body: envelope('v1', 'Pod', Buffer.alloc(0)) },
  { name: 'that ends early', body: envelope('v1', 'Secret', Buffer.from([0x0a, 5])) },
  { name: 'with the wrong wire type', body: envelope('v1', 'Secret', Buffer.from([0x08, 1])) },
  { name: 'with a group', body: envelope('v1', 'Secret', Buffer.from([0x5b])) },
  { name: 'with broken UTF-8', body: envelope('v1', 'Secret', bytes(3, Buffer.from([0xff]))) },
  {
    name: 'with an endless number',
    body: envelope('v1', 'DeleteOptions', Buffer.from([0x08, ...Array.from({ length: 11 }, () => 0xff)])),
  },
])
  test(`a body ${name} is refused with 400`, () => {
    assert.throws(() => decodeProtobuf(body), ProtobufError)
    assert.throws(
      () => decodeProtobufObject(body, { apiVersion: 'v1', kind: 'Secret' }),
      (error) => error instanceof ApiError && error.code === 400,
    )
  })

test('no bytes make the decoder fail but with a clear error', () => {
  const lead = envelope('apiextensions.k8s.io/v1', 'CustomResourceDefinition', Buffer.alloc(0)).subarray(0, 4)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(10), (noise, index) => {
      const source = readFileSync(new URL(golden[index] ?? '', folder))
      const broken = Buffer.from(source)
      noise.forEach((byte, i) => broken.writeUInt8(byte, 4 + ((i * 97) % (broken.length - 4))))
      for (const body of [broken, Buffer.concat([lead, noise]), source.subarray(0, noise.length + 4)]) {
        try {
          decodeProtobuf(body)
        } catch (error) {
          assert.ok(error instanceof ProtobufError, String(error))
        }
      }
    }),
  )
})
