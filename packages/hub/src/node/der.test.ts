import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bitString,
  boolean,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  set,
  time,
  unsignedInteger,
  utf8String,
} from './der.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

for (const { name, value, want } of [
  { name: 'zero', value: unsignedInteger(Buffer.from([0, 0])), want: '020100' },
  { name: 'a high bit gets a zero in front', value: unsignedInteger(Buffer.from([0x80])), want: '02020080' },
  { name: 'leading zeros go', value: unsignedInteger(Buffer.from([0, 0, 1])), want: '020101' },
  { name: 'true', value: boolean(true), want: '0101ff' },
  { name: 'an object identifier', value: objectIdentifier('1.2.840.10045.4.3.2'), want: '06082a8648ce3d040302' },
  { name: 'a small object identifier', value: objectIdentifier('2.5.4.3'), want: '0603550403' },
  {
    name: 'a time before 2050',
    value: time(Date.UTC(2049, 11, 31, 23, 59, 59)),
    want: '170d3439313233313233353935395a',
  },
  { name: 'a time from 2050 on', value: time(Date.UTC(2050, 0, 1)), want: '180f32303530303130313030303030305a' },
  { name: 'a bit string', value: bitString(Buffer.from([0x06]), 1), want: '03020106' },
  { name: 'an explicit tag', value: explicit(0, boolean(false)), want: 'a003010100' },
  { name: 'an implicit tag', value: implicit(2, Buffer.from('a')), want: '820161' },
])
  test(`DER: ${name}`, () => assert.equal(hex(value), want))

test('DER: lengths above 127 take further bytes', () => {
  assert.equal(hex(octetString(new Uint8Array(200)).subarray(0, 3)), '0481c8')
  assert.equal(hex(octetString(new Uint8Array(70_000)).subarray(0, 5)), '0483011170')
})

test('DER: the elements of a set are ordered by their encoding', () => {
  assert.equal(hex(set(utf8String('b'), utf8String('a'))), '31060c01610c0162')
})
