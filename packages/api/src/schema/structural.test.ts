import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import type { Json, JsonObject } from '../json/json.ts'
import { cloneObject, isJsonArray, isJsonObject } from '../json/json.ts'
import { parseJson } from '../json/parse.ts'
import { checkStructural } from './check-structural.ts'
import type { JsonSchema } from './json-schema.ts'
import { compileSchema } from './structural.ts'

function load(name: string): JsonObject {
  const { value } = parseJson(readFileSync(new URL(`testdata/${name}`, import.meta.url)))
  assert.ok(isJsonObject(value))
  return value
}
const list = (value: Json | undefined): readonly JsonObject[] => (isJsonArray(value) ? value.filter(isJsonObject) : [])
const causes = (errors: ReturnType<typeof checkStructural>) =>
  errors.map(({ path, reason, message }) => ({ field: path, reason, message })).sort(byText)
const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

const recorded = load('validation.json')
const widget = recorded['schema']
assert.ok(isJsonObject(widget))
for (const { name, object, causes: want, stored } of list(recorded['cases']))
  test(`an object is judged as kube-apiserver 1.35.4 does: ${JSON.stringify(name)}`, () => {
    assert.ok(isJsonObject(object))
    const schema = compileSchema(widget)
    const value = cloneObject(object)
    schema.prune(value)
    schema.applyDefaults(value)
    assert.deepEqual(causes(schema.validate(value)), [...list(want)].sort(byText))
    if (isJsonObject(stored)) assert.deepEqual({ ...value, metadata: undefined }, { ...stored, metadata: undefined })
  })

for (const { name, schema, causes: want } of list(load('structural.json')['cases']))
  test(`a schema is judged as kube-apiserver 1.35.4 does: ${JSON.stringify(name)}`, () => {
    assert.ok(isJsonObject(schema))
    assert.deepEqual(causes(checkStructural(schema, 'spec.validation.openAPIV3Schema')), [...list(want)].sort(byText))
  })

const compile = (properties: Readonly<Record<string, JsonSchema>>, rest: JsonSchema = {}) =>
  compileSchema({ type: 'object', ...rest, properties })
const messages = (schema: ReturnType<typeof compileSchema>, value: JsonObject, old?: JsonObject) =>
  schema.validate(value, old === undefined ? {} : { old }).map(({ path, message }) => `${path}: ${message}`)

test('pruning keeps the identity of the root and reports what it removed', () => {
  const schema = compile({ a: { type: 'object', properties: { x: { type: 'string' } } } })
  const value = { apiVersion: 'v1', kind: 'K', metadata: { name: 'n' }, a: { x: '1', y: 2 }, b: 1, ['__proto__x']: 1 }
  assert.deepEqual(schema.prune(value), ['__proto__x', 'a.y', 'b'])
  assert.deepEqual(value, { apiVersion: 'v1', kind: 'K', metadata: { name: 'n' }, a: { x: '1' } })
})

test('pruning goes on below known fields of a node that preserves unknown ones', () => {
  const schema = compile({
    any: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { known: { type: 'object', properties: {} } },
    },
  })
  const value = { any: { free: { deep: 1 }, known: { gone: 1 } } }
  assert.deepEqual(schema.prune(value), ['any.known.gone'])
  assert.deepEqual(value, { any: { free: { deep: 1 }, known: {} } })
})

test('a key __proto__ is pruned like any other and harms nothing', () => {
  const { value } = parseJson('{"__proto__":{"polluted":true},"spec":{"__proto__":1}}')
  assert.ok(isJsonObject(value))
  compile({ spec: { type: 'object', properties: {} } }).prune(value)
  assert.deepEqual(value, { spec: {} })
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('defaults fill missing keys where the parent exists, and never share a value', () => {
  const schema = compile({
    a: {
      type: 'object',
      default: {},
      properties: { n: { type: 'integer', default: 1 }, l: { type: 'array', default: [1] } },
    },
    b: { type: 'object', properties: { n: { type: 'integer', default: 1 } } },
    m: {
      type: 'object',
      additionalProperties: { type: 'object', properties: { x: { type: 'string', default: 'd' } } },
    },
  })
  const one: JsonObject = { m: { k: {} } }
  const two: JsonObject = {}
  schema.applyDefaults(one)
  schema.applyDefaults(two)
  assert.deepEqual(one, { m: { k: { x: 'd' } }, a: { n: 1, l: [1] } })
  assert.deepEqual(two, { a: { n: 1, l: [1] } })
  assert.notEqual(one['a'], two['a'])
})

test('null stays only where the schema is nullable', () => {
  const schema = compile({
    plain: { type: 'string' },
    nullable: { type: 'string', nullable: true },
    defaulted: { type: 'string', default: 'd' },
  })
  const value = { plain: null, nullable: null, defaulted: null }
  schema.applyDefaults(value)
  assert.deepEqual(value, { nullable: null, defaulted: 'd' })
})

for (const { name, schema, value, want } of [
  { name: 'int-or-string takes both', schema: { 'x-kubernetes-int-or-string': true }, value: [1, 'a', 1n], want: [] },
  {
    name: 'int-or-string refuses others',
    schema: { 'x-kubernetes-int-or-string': true },
    value: [true],
    want: ['l[0]: Invalid value: "boolean": l[0] in body must be of type integer,string: "boolean"'],
  },
  { name: 'int64 is an integer', schema: { type: 'integer' }, value: [9007199254740993n, 1], want: [] },
  {
    name: 'an integer beyond int64 is a number',
    schema: { type: 'integer' },
    value: [2 ** 63],
    want: ['l[0]: Invalid value: "number": l[0] in body must be of type integer: "number"'],
  },
  {
    name: 'length counts characters, not UTF-16 units',
    schema: { type: 'string', minLength: 2, maxLength: 2 },
    value: ['😀😀'],
    want: [],
  },
  {
    name: 'length comes before the pattern',
    schema: { type: 'string', maxLength: 1, pattern: '^a$' },
    value: ['bb', 'b'],
    want: ['l[0]: Too long: may not be more than 1 byte', `l[1]: Invalid value: "b": l[1] in body should match '^a$'`],
  },
  {
    name: 'a pattern that would run for ever elsewhere is linear here',
    schema: { type: 'string', pattern: '^(a+)+$' },
    value: [`${'a'.repeat(5000)}b`.slice(-40)],
    want: [`l[0]: Invalid value: "${'a'.repeat(39)}b": l[0] in body should match '^(a+)+$'`],
  },
  {
    name: 'not',
    schema: { type: 'string', not: { enum: ['bad'] } },
    value: ['bad'],
    want: ['<nil>: Invalid value: "": "l[0]" must not validate the schema (not)'],
  },
  {
    name: 'allOf',
    schema: { type: 'integer', allOf: [{ minimum: 1 }, { maximum: 3 }] },
    value: [4],
    want: [
      '<nil>: Invalid value: "": "l[0]" must validate all the schemas (allOf)',
      'l[0]: Invalid value: 4: l[0] in body should be less than or equal to 3',
    ],
  },
])
  test(`validation: ${name}`, () => {
    assert.deepEqual(messages(compile({ l: { type: 'array', items: schema } }), { l: value }), want)
  })

test('an update tolerates what was invalid before and did not change', () => {
  const schema = compile({
    a: { type: 'string', enum: ['x'] },
    b: { type: 'object', properties: { n: { type: 'integer', maximum: 1 } } },
    m: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' }, n: { type: 'integer', maximum: 1 } } },
    },
  })
  const old = { a: 'y', b: { n: 2 }, m: [{ k: '1', n: 2 }] }
  assert.deepEqual(
    messages(
      schema,
      {
        ...old,
        m: [
          { k: '0', n: 0 },
          { k: '1', n: 2 },
        ],
      },
      old,
    ),
    [],
  )
  assert.deepEqual(messages(schema, { ...old, b: { n: 3 } }, old), [
    'b.n: Invalid value: 3: b.n in body should be less than or equal to 1',
  ])
  assert.deepEqual(messages(schema, { ...old, m: [{ k: '2', n: 2 }] }, old).length, 1)
})

test('list duplicates are tolerated on update only when the old object had some', () => {
  const schema = compile({ s: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } })
  assert.deepEqual(messages(schema, { s: ['a', 'a'] }, { s: ['b', 'b'] }), [])
  assert.deepEqual(messages(schema, { s: ['a', 'a'] }, { s: ['b'] }), ['s[1]: Duplicate value: "a"'])
})

const deep = (levels: number): JsonSchema =>
  levels === 0 ? { type: 'string' } : { type: 'object', properties: { a: deep(levels - 1) } }
const doubled = (levels: number): JsonSchema =>
  levels === 0 ? { minLength: 1 } : { anyOf: [doubled(levels - 1), doubled(levels - 1)] }
for (const { name, schema } of [
  { name: 'deeper than 64 levels', schema: deep(65) },
  {
    name: 'of 10,001 properties',
    schema: {
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`p${i}`, { type: 'string' }])),
    },
  },
  {
    name: 'with an enum of 50,000',
    schema: { type: 'object', properties: { a: { type: 'string', enum: Array.from({ length: 50_000 }, String) } } },
  },
  {
    name: 'with anyOf doubled 14 times',
    schema: { type: 'object', properties: { a: { type: 'string', ...doubled(14) } } },
  },
  {
    name: 'with 1,000 rules',
    schema: { type: 'object', 'x-kubernetes-validations': Array.from({ length: 1000 }, () => ({ rule: 'true' })) },
  },
  { name: 'with a negative length', schema: { type: 'object', properties: { a: { type: 'string', maxLength: -1 } } } },
  {
    name: 'with minimum over maximum',
    schema: { type: 'object', properties: { a: { type: 'integer', minimum: 5, maximum: 1 } } },
  },
  {
    name: 'whose list-map keys are optional',
    schema: {
      type: 'object',
      properties: {
        a: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
          items: { type: 'object', properties: { k: { type: 'string' } } },
        },
      },
    },
  },
] satisfies { name: string; schema: JsonSchema }[])
  test(`a schema ${name} is refused`, () => assert.notDeepEqual(checkStructural(schema, 's'), []))

test('the recorded schema is structural', () => assert.deepEqual(checkStructural(widget, 's'), []))
