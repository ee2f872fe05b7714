import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import {
  formatLabelSelector,
  labelSelectorOf,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from './selector.ts'
import { SelectorError } from './selector-parser.ts'

for (const { text, labels, want } of [
  { text: '', labels: {}, want: true },
  { text: 'a=b', labels: { a: 'b' }, want: true },
  { text: 'a==b', labels: { a: 'c' }, want: false },
  { text: 'a!=b', labels: {}, want: true },
  { text: 'a!=b', labels: { a: 'b' }, want: false },
  { text: 'a in (x, y)', labels: { a: 'y' }, want: true },
  { text: 'a in (x,)', labels: { a: '' }, want: true },
  { text: 'a notin (x)', labels: {}, want: true },
  { text: 'a', labels: { a: '' }, want: true },
  { text: '!a', labels: { a: '' }, want: false },
  { text: 'a>5', labels: { a: '6' }, want: true },
  { text: 'a<5', labels: { a: 'x' }, want: false },
  { text: 'a=b,c', labels: { a: 'b' }, want: false },
  { text: 'constructor', labels: {}, want: false },
  { text: 'in', labels: { in: '1' }, want: true },
])
  test(`the selector ${text} on ${JSON.stringify(labels)}: ${want}`, () => {
    assert.equal(matchesLabels(parseLabelSelector(text), labels), want)
  })

// Recorded from kube-apiserver 1.35.4.
for (const { text, want } of [
  { text: 'a=b=c', want: "found '=', expected: ',' or 'end of string'" },
  { text: 'A B', want: "unable to parse requirement: found 'B', expected: in, notin, =, ==, !=, gt, lt" },
  { text: 'a=b,,c', want: "found ',', expected: identifier after ','" },
  { text: '!', want: "unable to parse requirement: found '', expected: identifier" },
  { text: 'a===b', want: "unable to parse requirement: found '=', expected: identifier" },
  { text: 'a notin', want: "unable to parse requirement: found '' expected: '('" },
  { text: ',', want: "found ',', expected: !, identifier, or 'end of string'" },
  { text: 'a=b c', want: "found 'c', expected: ',' or 'end of string'" },
  {
    text: 'a>x',
    want: `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`,
  },
])
  test(`the selector ${text} is refused in Kubernetes’ words`, () => {
    assert.throws(() => parseLabelSelector(text), { name: 'SelectorError', message: want })
  })

for (const text of [
  'a in (',
  'a/b/c',
  `a=${'b'.repeat(64)}`,
  Array.from({ length: 1001 }, () => 'a').join(','),
  'a'.repeat(20_000),
])
  test(`the selector ${text.slice(0, 20)}… is refused`, () => {
    assert.throws(() => parseLabelSelector(text), SelectorError)
  })

test('a NUL character ends a selector, as in Kubernetes', () => assert.deepEqual(parseLabelSelector('\0a b'), []))

test('a formatted selector parses to itself', () => {
  const name = fc.stringMatching(/^[a-z]([a-z0-9]{0,8})$/)
  const requirement = fc.oneof(
    fc.record({
      key: name,
      operator: fc.constantFrom('in' as const, 'notin' as const),
      values: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }).map((v) => v.toSorted()),
    }),
    fc.record({
      key: name,
      operator: fc.constantFrom('exists' as const, 'doesnotexist' as const),
      values: fc.constant([]),
    }),
  )
  fc.assert(
    fc.property(fc.uniqueArray(requirement, { selector: (r) => r.key, maxLength: 5 }), (requirements) => {
      const sorted = requirements.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map((term) => ({ ...term }))
      assert.deepEqual(parseLabelSelector(formatLabelSelector(sorted)), sorted)
    }),
  )
})

for (const { text, want } of [
  { text: '', want: [] },
  { text: 'metadata.name=a', want: [{ path: 'metadata.name', operator: '=', value: 'a' }] },
  {
    text: 'a!=b,c==d',
    want: [
      { path: 'a', operator: '!=', value: 'b' },
      { path: 'c', operator: '=', value: 'd' },
    ],
  },
  { text: 'a=x\\,y\\=z\\\\', want: [{ path: 'a', operator: '=', value: 'x,y=z\\' }] },
  { text: 'a=', want: [{ path: 'a', operator: '=', value: '' }] },
])
  test(`the field selector ${text}`, () => assert.deepEqual(parseFieldSelector(text), want))

for (const { text, want } of [
  { text: 'metadata.name===base', want: 'invalid field selector: unescaped character in value: 61' },
  { text: 'metadata.name', want: "invalid selector: 'metadata.name'; can't understand 'metadata.name'" },
  { text: 'a=b\\', want: 'invalid field selector: invalid escape sequence: \\' },
  {
    text: 'spec.color in (red)',
    want: "invalid selector: 'spec.color in (red)'; can't understand 'spec.color in (red)'",
  },
])
  test(`the field selector ${text} is refused in Kubernetes’ words`, () => {
    assert.throws(() => parseFieldSelector(text), { name: 'SelectorError', message: want })
  })

test('a spec’s selector means the conjunction of its labels and expressions', () => {
  const selector = labelSelectorOf({
    matchLabels: { b: '1' },
    matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }],
  })
  assert.equal(formatLabelSelector(selector), 'a!=x,b=1')
  assert.throws(() => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'In' }] }), SelectorError)
  assert.throws(
    () => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['x'] }] }),
    SelectorError,
  )
})
