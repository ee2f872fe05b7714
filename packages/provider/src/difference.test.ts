import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, integer, map, object, optional, string } from '@orrery/api'
import fc from 'fast-check'
import { differences, REDACTED, showValue } from './difference.ts'

const { json: schema } = object({
  size: optional(integer()),
  region: optional(string({ 'x-orrery-immutable': true })),
  secret: optional(string({ 'x-orrery-sensitive': true })),
  groups: optional(array(string(), { 'x-kubernetes-list-type': 'set' })),
  rules: optional(array(string())),
  labels: optional(map(string())),
  limits: optional(object({ cpu: optional(integer()), memory: optional(integer({ 'x-orrery-immutable': true })) })),
})

for (const { rule, desired, observed, want } of [
  { rule: 'equal', desired: { size: 1 }, observed: { size: 1 }, want: [] },
  { rule: 'changed', desired: { size: 1 }, observed: { size: 2 }, want: ['size'] },
  { rule: 'what was left out is not drift', desired: {}, observed: { size: 2 }, want: [] },
  { rule: 'what cannot be observed is not drift', desired: { size: 1 }, observed: {}, want: [] },
  { rule: 'an explicit undefined was left out', desired: { size: undefined }, observed: { size: 2 }, want: [] },
  {
    rule: 'a field of a field',
    desired: { limits: { cpu: 1, memory: 2 } },
    observed: { limits: { cpu: 3, memory: 2 } },
    want: ['limits.cpu'],
  },
  {
    rule: 'an immutable field of a field',
    desired: { limits: { memory: 1 } },
    observed: { limits: { memory: 2 } },
    want: ['limits.memory!'],
  },
  { rule: 'immutable', desired: { region: 'a' }, observed: { region: 'b' }, want: ['region!'] },
  { rule: 'a set ignores order', desired: { groups: ['a', 'b'] }, observed: { groups: ['b', 'a'] }, want: [] },
  { rule: 'a set knows its members', desired: { groups: ['a', 'b'] }, observed: { groups: ['a'] }, want: ['groups'] },
  { rule: 'a list has an order', desired: { rules: ['a', 'b'] }, observed: { rules: ['b', 'a'] }, want: ['rules'] },
  {
    rule: 'a map by key',
    desired: { labels: { a: '1', b: '2' } },
    observed: { labels: { a: '1', b: '3' } },
    want: ['labels.b'],
  },
  { rule: 'a missing key of a map', desired: { labels: { a: '1' } }, observed: { labels: {} }, want: ['labels.a'] },
  {
    rule: 'keys of the outside are its own',
    desired: { labels: { a: '1' } },
    observed: { labels: { a: '1', z: '9' } },
    want: [],
  },
  { rule: 'null outside differs from a value', desired: { size: 1 }, observed: { size: null }, want: ['size'] },
]) {
  test(`differences: ${rule}`, () => {
    const found = differences(desired, observed, schema).map(({ path, immutable }) => `${path}${immutable ? '!' : ''}`)
    assert.deepEqual(found, want)
  })
}

test('a sensitive value never appears in a difference', () => {
  const [found] = differences({ secret: 'hunter2' }, { secret: 'letmein' }, schema)
  assert.deepEqual([found?.desired, found?.actual], [REDACTED, REDACTED])
})

test('law: what was observed does not differ from itself', () => {
  const value = fc.record(
    {
      size: fc.integer(),
      groups: fc.array(fc.string()),
      labels: fc.dictionary(fc.string(), fc.string()),
      limits: fc.record({ cpu: fc.integer(), memory: fc.integer() }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(value, (state) => {
      assert.deepEqual(differences(state, structuredClone(state), schema), [])
    }),
  )
})

test('a long value is shortened, and says how long it was', () => {
  const shown = showValue('x'.repeat(1_000))
  assert.ok(shown.length < 300)
  assert.ok(shown.includes('1000'))
})
