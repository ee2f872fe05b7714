import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { cloneJson, equalJson, isJsonObject, type Json, JsonError, setKey } from './json.ts'
import { parseJson } from './parse.ts'
import { stringifyJson } from './stringify.ts'

for (const { name, text, want } of [
  { name: 'an integer above 2^53 keeps its digits', text: '{"n":9007199254740993}', want: { n: 9007199254740993n } },
  { name: 'the smallest int64 is exact', text: '-9223372036854775808', want: -9223372036854775808n },
  { name: 'a fraction of zero is an integer', text: '[1.0,1e3]', want: [1, 1000] },
  { name: 'escapes are decoded', text: '"\\u003c\\ud83d\\ude00\\n"', want: '<😀\n' },
  { name: 'space around everything is allowed', text: ' \t\r\n{ "a" : [ ] , "b" : { } } ', want: { a: [], b: {} } },
  { name: 'a NUL character survives', text: '"a\\u0000b"', want: 'a\0b' },
])
  test(`parseJson: ${name}`, () => assert.deepEqual(parseJson(text), { value: want, duplicates: [] }))

for (const { name, text, kind } of [
  { name: 'nothing', text: '', kind: 'syntax' },
  { name: 'a truncated object', text: '{"a":', kind: 'syntax' },
  { name: 'two values', text: '{} {}', kind: 'syntax' },
  { name: 'NaN', text: '{"a":NaN}', kind: 'syntax' },
  { name: 'a comment', text: '{/* */}', kind: 'syntax' },
  { name: 'single quotes', text: "{'a':1}", kind: 'syntax' },
  { name: 'a trailing comma', text: '[1,]', kind: 'syntax' },
  { name: 'a leading zero', text: '01', kind: 'syntax' },
  { name: 'a byte-order mark', text: '\ufeff{}', kind: 'syntax' },
  { name: 'a lone surrogate', text: '"\\ud800"', kind: 'encoding' },
  { name: 'a raw lone surrogate', text: '"\ud800"', kind: 'encoding' },
  { name: 'a number beyond float64', text: '1e400', kind: 'number' },
  { name: 'nesting of 501 levels', text: '['.repeat(501) + ']'.repeat(501), kind: 'too-deep' },
  { name: 'a million levels', text: '['.repeat(1_000_000), kind: 'too-deep' },
  { name: 'more nodes than allowed', text: `[${'0,'.repeat(500_000)}0]`, kind: 'too-large' },
  { name: 'a key beyond its limit', text: `{"${'k'.repeat(9000)}":1}`, kind: 'too-large' },
  { name: 'more bytes than allowed', text: ' '.repeat(3 * 1024 * 1024 + 1), kind: 'too-large' },
])
  test(`parseJson refuses ${name}`, () => {
    assert.throws(
      () => parseJson(text),
      (error) => error instanceof JsonError && error.kind === kind,
    )
  })

test('parseJson refuses broken UTF-8', () => {
  assert.throws(
    () => parseJson(new Uint8Array([0x22, 0xff, 0x22])),
    (error) => error instanceof JsonError && error.kind === 'encoding',
  )
})

// The texts are contract: kube-apiserver quotes them in its 400 answers.
for (const { text, want } of [
  { text: '{"a"', want: 'unexpected end of JSON input' },
  { text: '{a:1}', want: "invalid character 'a' looking for beginning of object key string" },
  { text: '{"a" 1}', want: "invalid character '1' after object key" },
  { text: '{"a":1 "b"}', want: `invalid character '"' after object key:value pair` },
  { text: '[1 2]', want: "invalid character '2' after array element" },
  { text: '{} x', want: "invalid character 'x' after top-level value" },
  { text: 'nul!', want: "invalid character '!' in literal null (expecting 'l')" },
  { text: '"\\x"', want: "invalid character 'x' in string escape code" },
  { text: '<', want: "invalid character '<' looking for beginning of value" },
])
  test(`parseJson words a fault as Go does: ${text}`, () => {
    assert.throws(() => parseJson(text), { message: want })
  })

test('duplicate keys are reported with their path, and the last one wins', () => {
  const { value, duplicates } = parseJson('{"spec":{"a":1,"l":[{"x":1,"x":2}],"a":2}}')
  assert.deepEqual(duplicates, ['spec.l[0].x', 'spec.a'])
  assert.deepEqual(value, { spec: { a: 2, l: [{ x: 2 }] } })
})

test('integers beyond int64 are reported, because a number cannot hold them', () => {
  const parsed = parseJson('{"a":{"n":9223372036854775808}}')
  assert.deepEqual(parsed.rounded, ['a.n'])
})

test('a key __proto__ is data and never touches a prototype', () => {
  const { value } = parseJson('{"__proto__":{"polluted":true},"constructor":1}')
  assert.ok(isJsonObject(value))
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal(stringifyJson(cloneJson(value)), '{"__proto__":{"polluted":true},"constructor":1}')
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

/** What JSON.parse makes of integers beyond 2^53. */
const rounded = (value: Json): unknown => JSON.parse(stringifyJson(value), (_, member: unknown) => member)

test('every JSON value parses as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.ok(equalJson(rounded(parseJson(text).value), JSON.parse(text)))
    }),
  )
})

test('what was parsed and is written reads back equal', () => {
  fc.assert(
    fc.property(fc.json(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (text, big) => {
      const source = { json: parseJson(text).value, big }
      assert.ok(equalJson(parseJson(stringifyJson(source)).value, source))
      assert.ok(equalJson(parseJson(stringifyJson(source, { indent: 2 })).value, source))
    }),
  )
})

for (const { name, value, want } of [
  { name: 'HTML is escaped', value: '<a href="&">\u2028', want: '"\\u003ca href=\\"\\u0026\\"\\u003e\\u2028"' },
  { name: 'absent members are skipped', value: { a: undefined, b: 1n, c: [] }, want: '{"b":1,"c":[]}' },
  {
    name: 'large floats keep Go’s form',
    value: [1e21, 1e20, -0, 1.5e-7],
    want: '[1e+21,100000000000000000000,0,1.5e-7]',
  },
])
  test(`stringifyJson: ${name}`, () => assert.equal(stringifyJson(value), want))

for (const { a, b, want } of [
  { a: 1, b: 1n, want: true },
  { a: { x: 1, y: undefined }, b: { x: 1 }, want: true },
  { a: { x: 1, y: 2 }, b: { y: 2, x: 1 }, want: true },
  { a: { x: 1 }, b: { z: 1 }, want: false },
  { a: [], b: {}, want: false },
  { a: null, b: {}, want: false },
  { a: [1, 2], b: [2, 1], want: false },
  { a: { toString: 1 }, b: {}, want: false },
])
  test(`equalJson: ${stringifyJson(a)} and ${stringifyJson(b)}`, () => assert.equal(equalJson(a, b), want))

test('setKey writes __proto__ as an own key', () => {
  const target = {}
  setKey(target, '__proto__', 1)
  assert.deepEqual(Object.keys(target), ['__proto__'])
})
