import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import * as fc from 'fast-check'
import { cloneJson, equalJson, isJsonArray, isJsonObject, type Json, type JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parse.ts'
import { stringifyJson } from '../json/stringify.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import { applyJsonPatch } from './json-patch.ts'
import { applyMergePatch, createMergePatch } from './merge-patch.ts'
import { PatchError } from './patch-error.ts'
import { applyStrategicMerge } from './strategic-merge.ts'

function load(name: string): JsonObject {
  const { value } = parseJson(readFileSync(new URL(`testdata/${name}`, import.meta.url)))
  assert.ok(isJsonObject(value))
  return value
}
const list = (value: Json | undefined): readonly JsonObject[] => (isJsonArray(value) ? value.filter(isJsonObject) : [])
const isPatchError = (kind: PatchError['kind']) => (error: unknown) =>
  error instanceof PatchError && error.kind === kind

for (const { comment, doc, patch, expected, error } of list(load('json-patch.json')['cases']))
  test(`RFC 6902: ${stringifyJson(comment ?? error ?? patch)}`, () => {
    const before = cloneJson(doc ?? null)
    if (error === undefined) {
      const result = applyJsonPatch(doc ?? null, patch ?? null)
      if (expected !== undefined) assert.deepEqual(result, expected)
    } else {
      assert.throws(() => applyJsonPatch(doc ?? null, patch ?? null), PatchError)
    }
    assert.deepEqual(doc ?? null, before)
  })

const document: Json = { spec: { list: [1], n: 1 } }
for (const { name, patch, kind } of [
  { name: 'that is not a list', patch: { op: 'add' }, kind: 'malformed' },
  { name: 'that is null', patch: null, kind: 'malformed' },
  { name: 'of numbers', patch: [1], kind: 'malformed' },
  { name: 'with an unknown operation', patch: [{ op: 'frob', path: '/a' }], kind: 'inapplicable' },
  { name: 'without an operation', patch: [{ path: '/a' }], kind: 'inapplicable' },
  {
    name: 'with an index beyond the list',
    patch: [{ op: 'add', path: '/spec/list/4294967295', value: 1 }],
    kind: 'inapplicable',
  },
  { name: 'with a negative index', patch: [{ op: 'add', path: '/spec/list/-1', value: 1 }], kind: 'inapplicable' },
  { name: 'with a leading zero', patch: [{ op: 'replace', path: '/spec/list/00', value: 1 }], kind: 'inapplicable' },
  { name: 'with an unknown escape', patch: [{ op: 'add', path: '/spec/m~2', value: 1 }], kind: 'inapplicable' },
  { name: 'without a value', patch: [{ op: 'add', path: '/spec/x' }], kind: 'inapplicable' },
  {
    name: 'that moves into its own child',
    patch: [{ op: 'move', from: '/spec', path: '/spec/x' }],
    kind: 'inapplicable',
  },
  {
    name: 'that walks into a prototype',
    patch: [{ op: 'add', path: '/constructor/prototype/x', value: 1 }],
    kind: 'inapplicable',
  },
  {
    name: 'of 10,001 operations',
    patch: Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: 1 })),
    kind: 'too-large',
  },
  {
    name: 'that doubles an object without end',
    patch: Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/spec', path: `/spec/c${i}` })),
    kind: 'inapplicable',
  },
  {
    name: 'with a path of 501 segments',
    patch: [{ op: 'add', path: '/a'.repeat(501), value: 1 }],
    kind: 'inapplicable',
  },
] as const)
  test(`a JSON patch ${name} is refused`, () => {
    assert.throws(() => applyJsonPatch(document, cloneJson(parseJson(stringifyJson(patch)).value)), isPatchError(kind))
  })

test('a merge patch removes by null, merges objects and replaces everything else', () => {
  // The cases of RFC 7386, appendix A.
  for (const [target, patch, want] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] satisfies [Json, Json, Json][])
    assert.deepEqual(applyMergePatch(target, patch), want)
})

const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(1, 2, true, 'a', ''),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('value'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
})).value

test('a created merge patch turns one value into the other, and nothing when they are equal', () => {
  fc.assert(
    fc.property(json, json, (from, to) => {
      const patch = createMergePatch(from, to)
      assert.equal(patch === undefined, equalJson(from, to))
      if (patch !== undefined) assert.ok(equalJson(applyMergePatch(from, patch), to))
    }),
  )
})

test('no patch changes its input or a prototype, and a key __proto__ stays data', () => {
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const before = stringifyJson([target, patch])
      const merged = applyMergePatch(target, patch)
      if (isJsonObject(target) && isJsonObject(patch)) applyStrategicMerge(target, patch, { type: 'object' })
      applyJsonPatch({ target }, [{ op: 'add', path: '/__proto__', value: patch }])
      assert.equal(stringifyJson([target, patch]), before)
      assert.equal(Reflect.ownKeys(Object.prototype).includes('polluted'), false)
      if (isJsonObject(merged)) assert.equal(Object.getPrototypeOf(merged), Object.prototype)
    }),
  )
})

const byName = (items: JsonSchema): JsonSchema => ({
  type: 'array',
  'x-kubernetes-patch-strategy': 'merge',
  'x-kubernetes-patch-merge-key': 'name',
  items,
})
const container: JsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    env: byName({ type: 'object' }),
    args: { type: 'array', items: { type: 'string' } },
  },
}
const podTemplate: JsonSchema = {
  type: 'object',
  properties: {
    metadata: {
      type: 'object',
      properties: { finalizers: { type: 'array', 'x-kubernetes-patch-strategy': 'merge', items: { type: 'string' } } },
    },
    template: {
      type: 'object',
      properties: {
        metadata: {
          type: 'object',
          properties: { labels: { type: 'object', additionalProperties: { type: 'string' } } },
        },
        spec: {
          type: 'object',
          properties: {
            containers: byName(container),
            volumes: { ...byName({ type: 'object' }), 'x-kubernetes-patch-strategy': 'merge,retainKeys' },
          },
        },
      },
    },
  },
}
const strategic = load('strategic-merge.json')
const { live } = strategic
assert.ok(isJsonObject(live))
for (const { name, patch, want, message } of list(strategic['cases']))
  test(`a strategic merge does what kube-apiserver 1.35.4 does: ${stringifyJson(name)}`, () => {
    assert.ok(isJsonObject(patch))
    if (message !== undefined) {
      assert.throws(() => applyStrategicMerge(live, patch, podTemplate), { name: 'PatchError', message })
      return
    }
    assert.deepEqual(applyStrategicMerge(live, patch, podTemplate), want)
  })

const items: JsonSchema = {
  type: 'object',
  properties: {
    l: byName({ type: 'object' }),
    p: { type: 'array', 'x-kubernetes-patch-strategy': 'merge', items: { type: 'string' } },
    r: { type: 'array', items: { type: 'string' } },
  },
}
for (const { name, target, patch, want } of [
  { name: 'a list without strategy is replaced', target: { r: ['a'] }, patch: { r: ['b'] }, want: { r: ['b'] } },
  {
    name: 'values are deleted from a primitive list',
    target: { p: ['a', 'b'] },
    patch: { '$deleteFromPrimitiveList/p': ['a'] },
    want: { p: ['b'] },
  },
  {
    name: 'a primitive list follows its order',
    target: { p: ['a', 'b'] },
    patch: { '$setElementOrder/p': ['c', 'a'], p: ['c'] },
    want: { p: ['c', 'a', 'b'] },
  },
  {
    name: 'a new list loses its directives',
    target: {},
    patch: {
      l: [
        { name: 'a', $patch: 'delete' },
        { name: 'b', x: null },
      ],
    },
    want: { l: [{ name: 'b' }] },
  },
  {
    name: 'a list is replaced on demand',
    target: { l: [{ name: 'a' }] },
    patch: { l: [{ $patch: 'replace' }, { name: 'b' }] },
    want: { l: [{ name: 'b' }] },
  },
  { name: 'null removes a key', target: { r: ['a'], x: 1 }, patch: { x: null }, want: { r: ['a'] } },
  { name: 'a map is emptied on demand', target: { m: { a: 1 } }, patch: { m: { $patch: 'delete' } }, want: { m: {} } },
] satisfies { name: string; target: JsonObject; patch: JsonObject; want: JsonObject }[])
  test(`strategic merge: ${name}`, () => assert.deepEqual(applyStrategicMerge(target, patch, items), want))

for (const patch of [
  { $patch: 'bogus' },
  { $patch: 7 },
  { '$setElementOrder/p': 7 },
  { m: { $retainKeys: ['a'], b: 'c' } },
  { '$deleteFromPrimitiveList/p': 7 },
] satisfies JsonObject[])
  test(`a strategic merge with ${stringifyJson(patch)} is refused`, () => {
    assert.throws(() => applyStrategicMerge({ m: {}, p: ['a'] }, patch, items), isPatchError('malformed'))
  })
