import assert from 'node:assert/strict'
import test from 'node:test'
import { formatCheck } from './formats.ts'

for (const { format, good, bad } of [
  {
    format: 'date-time',
    good: ['2020-01-01T00:00:00Z', '2020-02-29T23:59:59.123+02:00'],
    bad: ['x', '2020-01-01', '2021-02-29T00:00:00Z', '2020-01-01T24:00:00Z'],
  },
  { format: 'date', good: ['2020-02-29'], bad: ['2021-02-29', '2020-1-1'] },
  { format: 'duration', good: ['1h', '1h30m', '-1.5s', '0', '3 days'], bad: ['1x', '', 'h'] },
  { format: 'ipv4', good: ['1.2.3.4', '255.255.255.255'], bad: ['1.2.3', '256.1.1.1', '01.2.3.4', '1.2.3.4.'] },
  {
    format: 'ipv6',
    good: ['::', '::1', '2001:db8::1', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8'],
    bad: ['1.2.3.4', ':::', '1:2:3', '1::2::3', 'g::'],
  },
  { format: 'cidr', good: ['10.0.0.0/8', '::/0'], bad: ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/08'] },
  { format: 'uri', good: ['http://a/b', '/path', 'mailto:x'], bad: [':x', 'x', 'http://a b', '/%zz'] },
  { format: 'email', good: ['a@b.c', 'A <a@b.c>'], bad: ['a', 'a@', '@b'] },
  { format: 'hostname', good: ['a', 'a-b.example.com'], bad: ['', '-a', 'a..b', 'a_b'] },
  { format: 'mac', good: ['01:23:45:67:89:ab', '0123.4567.89ab'], bad: ['01:23', '01:23:45:67:89-ab'] },
  { format: 'uuid', good: ['123e4567-e89b-12d3-a456-426614174000'], bad: ['zz'] },
  { format: 'uuid4', good: ['123e4567-e89b-42d3-a456-426614174000'], bad: ['123e4567-e89b-12d3-a456-426614174000'] },
  { format: 'isbn', good: ['0321751043', '978-0321751041'], bad: ['0321751042'] },
  { format: 'creditcard', good: ['4111 1111 1111 1111'], bad: ['4111 1111 1111 1112'] },
  { format: 'hexcolor', good: ['#fff', 'a1b2c3'], bad: ['#ffff'] },
  { format: 'rgbcolor', good: ['rgb(1, 2, 255)'], bad: ['rgb(1,2,256)'] },
  { format: 'byte', good: ['', 'aGk=', 'aGk\n='], bad: ['!!', 'a'] },
  { format: 'k8s-short-name', good: ['a-b'], bad: ['A_', '-a', 'a'.repeat(64)] },
  { format: 'k8s-long-name', good: ['a.b-c'], bad: ['a..b'] },
]) {
  const check = formatCheck(format)
  for (const text of good) test(`${format} accepts ${text}`, () => assert.equal(check?.(text), true))
  for (const text of bad) test(`${format} refuses ${text}`, () => assert.equal(check?.(text), false))
}

test('unknown formats and the sizes of numbers are not checked', () => {
  for (const format of ['weird', 'int32', 'int64', 'float', 'double']) assert.equal(formatCheck(format), undefined)
})
