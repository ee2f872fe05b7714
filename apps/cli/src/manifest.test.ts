import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillForProvider, parseAssignments } from './manifest.ts'
import { CliError } from './problem.ts'

const schema = {
  properties: {
    owner: { type: 'string' },
    ownerRef: { type: 'object' },
    limit: { type: 'integer', default: -1 },
    tags: { type: 'array' },
    name: { type: 'string', default: 'x' },
  },
  required: ['name'],
}

for (const { name, observed, given, want } of [
  { name: 'takes what is observed', observed: { owner: 'a', limit: 3 }, given: {}, want: { owner: 'a', limit: 3 } },
  { name: 'leaves out what the spec does not have', observed: { oid: 7 }, given: {}, want: {} },
  { name: 'leaves out defaults', observed: { limit: -1 }, given: {}, want: {} },
  { name: 'keeps a default that is required', observed: { name: 'x' }, given: {}, want: { name: 'x' } },
  { name: 'leaves out empty lists and nothing', observed: { tags: [], owner: null }, given: {}, want: {} },
  {
    name: 'lets a given reference stand for the field it fills',
    observed: { owner: 'a' },
    given: { ownerRef: { name: 'a' } },
    want: { ownerRef: { name: 'a' } },
  },
  { name: 'prefers what is given', observed: { limit: 3 }, given: { limit: 4 }, want: { limit: 4 } },
]) {
  test(`an imported spec ${name}`, () => assert.deepEqual(fillForProvider(schema, observed, given), want))
}

test('assignments are paths with YAML values, and merge', () => {
  assert.deepEqual(parseAssignments(['ownerRef.name=app', 'limit=3', 'tags=[a, b]', 'ownerRef.x=a=b'], 'orrery'), {
    ownerRef: { name: 'app', x: 'a=b' },
    limit: 3,
    tags: ['a', 'b'],
  })
})

test('an assignment cannot reach the prototype of objects', () => {
  const given = parseAssignments(['__proto__.polluted=true'], 'orrery')
  assert.equal(Object.hasOwn(given, '__proto__'), true)
  assert.equal('polluted' in {}, false)
})

for (const text of ['', 'owner', '=x', 'a..b=1', 'a b=1']) {
  test(`"${text}" is no assignment`, () => assert.throws(() => parseAssignments([text], 'orrery'), CliError))
}
