import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type Json, type JsonObject, stringifyJson } from '@orrery/api'
import { objectAt, textAt } from './registry/json-access.ts'
import { openMemoryStore } from './store/memory-store.ts'
import type { Store } from './store/store.ts'
import { admin, createTestHub, random, type TestHub } from './testdata/test-hub.ts'

/** Input that is large, deep or repetitive: refused or served, and never at the cost of others. */

/** What one request may keep a core busy; the aim is a tenth of it, the rest is for slow machines. */
const maxBusyMs = 1000

const configMaps = '/api/v1/namespaces/default/configmaps'
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const parts = '/apis/large.example.com/v1/namespaces/default/parts'
const base = `${parts}/base`
const json = 'application/json'
const mergePatch = 'application/merge-patch+json'
const jsonPatch = 'application/json-patch+json'
const apply = 'application/apply-patch+yaml'

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const record = (count: number, make: (index: number) => readonly [string, Json]): JsonObject =>
  Object.fromEntries(times(count, make))
/** Text, because building such a value would need the stack that it is meant to exhaust. */
const nestedArrays = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const nestedObjects = (depth: number) => `${'{"a":'.repeat(depth)}{}${'}'.repeat(depth)}`
const padded = (text: string, bytes: number) => text.padEnd(bytes, ' ')
const part = (name: string, spec: string, metadata: JsonObject = {}) =>
  `{"apiVersion":"large.example.com/v1","kind":"Part","metadata":${stringifyJson({ ...metadata, name })},"spec":${spec}}`
const small = '{"metadata":{"name":"a"},"data":{"a":"b"}}'

let schemas = 0
function definition(properties: Readonly<Record<string, Json>>): JsonObject {
  const plural = `kind${schemas++}s`
  return crd(plural, 'Kind' + String(schemas), { type: 'object', properties })
}

function crd(plural: string, kind: string, spec: Json): JsonObject {
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.large.example.com` },
    spec: {
      group: 'large.example.com',
      scope: 'Namespaced',
      names: { plural, kind, listKind: `${kind}List`, singular: kind.toLowerCase() },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
}

function nestedSchema(depth: number): string {
  const open = '{"type":"object","properties":{"a":'
  const inner = `${open.repeat(depth)}{"type":"string"}${'}}'.repeat(depth)}`
  return stringifyJson(crd('deeps', 'Deep', 'HERE')).replace('"HERE"', inner)
}

function anyOf(levels: number): JsonObject {
  return levels === 0 ? { minLength: 1 } : { anyOf: [anyOf(levels - 1), anyOf(levels - 1)] }
}

const kilobyte = 'k'.repeat(1000)
const copies = [
  { op: 'add', path: '/spec/x', value: { c: kilobyte } },
  ...times(14, (i) => ({ op: 'copy', from: '/spec/x', path: `/spec/x/d${i}` })),
]

interface Large {
  readonly row: number
  readonly name: string
  readonly method?: string
  readonly path?: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: () => unknown
  readonly status: number
}

const inputs: readonly Large[] = [
  { row: 1, name: 'a body one byte over the limit', body: () => padded(small, 3_145_729), status: 413 },
  { row: 1, name: 'a body at the limit', body: () => padded(small, 3_145_728), status: 201 },
  {
    row: 2,
    name: 'a stored form of 2 MB',
    path: parts,
    body: () => part('two', stringifyJson({ big: 'a'.repeat(2_000_000) })),
    status: 413,
  },
  {
    row: 2,
    name: 'data over 1 MiB',
    body: () => ({ metadata: { name: 'b' }, data: { a: 'a'.repeat(1_048_577) } }),
    status: 422,
  },
  { row: 14, name: 'depth 9,999', path: parts, body: () => part('deep', nestedArrays(9_997)), status: 400 },
  { row: 15, name: 'depth 1,000,000', path: parts, body: () => part('deep', nestedArrays(1_000_000)), status: 400 },
  {
    row: 15,
    name: 'depth 1,000,000, never closed',
    path: parts,
    body: () => part('deep', '{"a":'.repeat(500_000)),
    status: 400,
  },
  {
    row: 16,
    name: '500,001 values',
    path: parts,
    body: () => part('many', `{"x":{"a":[${'0,'.repeat(500_000)}0]}}`),
    status: 413,
  },
  {
    row: 48,
    name: 'annotations of 262,145 bytes',
    path: parts,
    body: () => part('a1', '{}', { annotations: { a: 'b'.repeat(262_144) } }),
    status: 422,
  },
  {
    row: 48,
    name: 'annotations of 262,144 bytes',
    path: parts,
    body: () => part('a2', '{}', { annotations: { a: 'b'.repeat(262_143) } }),
    status: 201,
  },
  {
    row: 72,
    name: '10,001 operations',
    method: 'PATCH',
    path: base,
    type: jsonPatch,
    body: () => times(10_001, () => ({ op: 'test', path: '/spec/n', value: 1 })),
    status: 413,
  },
  {
    row: 0,
    name: '10,000 tests of the root',
    method: 'PATCH',
    path: base,
    type: jsonPatch,
    body: () => times(10_000, () => ({ op: 'test', path: '', value: {} })),
    status: 422,
  },
  {
    row: 0,
    name: 'a path of 5,000 segments',
    method: 'PATCH',
    path: base,
    type: jsonPatch,
    body: () => [{ op: 'add', path: `/spec${'/a'.repeat(5000)}`, value: 1 }],
    status: 422,
  },
  {
    row: 76,
    name: 'copies that double',
    method: 'PATCH',
    path: base,
    type: jsonPatch,
    body: () => copies,
    status: 422,
  },
  {
    row: 106,
    name: '10,000 additions at index 0',
    method: 'PATCH',
    path: base,
    type: jsonPatch,
    body: () => times(10_000, (i) => ({ op: 'add', path: '/spec/list/0', value: i })),
    status: 200,
  },
  {
    row: 106,
    name: '10,000 removals at index 0',
    method: 'PATCH',
    path: base,
    type: jsonPatch,
    body: () => times(10_000, () => ({ op: 'remove', path: '/spec/list/0' })),
    status: 200,
  },
  {
    row: 104,
    name: 'a merge patch 2,000 deep',
    method: 'PATCH',
    path: base,
    type: mergePatch,
    body: () => `{"spec":{"x":${nestedObjects(2_000)}}}`,
    status: 400,
  },
  {
    row: 104,
    name: 'a merge patch 490 deep',
    method: 'PATCH',
    path: base,
    type: mergePatch,
    body: () => `{"spec":{"x":${nestedObjects(490)}}}`,
    status: 200,
  },
  {
    row: 104,
    name: 'an apply 2,000 deep',
    method: 'PATCH',
    path: `${parts}/applied?fieldManager=a`,
    type: apply,
    body: () => part('applied', `{"x":${nestedObjects(2_000)}}`),
    status: 400,
  },
  {
    row: 104,
    name: 'an apply 490 deep',
    method: 'PATCH',
    path: `${parts}/applied?fieldManager=a`,
    type: apply,
    body: () => part('applied', `{"x":${nestedObjects(490)}}`),
    status: 201,
  },
  {
    row: 104,
    name: 'a create 9,900 deep',
    path: parts,
    body: () => part('deep', `{"x":${nestedObjects(9_900)}}`),
    status: 400,
  },
  {
    row: 0,
    name: 'an apply of 10,000 list elements',
    method: 'PATCH',
    path: `${parts}/listed?fieldManager=a`,
    type: apply,
    body: () => part('listed', stringifyJson({ ports: times(10_000, (p) => ({ p })) })),
    status: 201,
  },
  {
    row: 0,
    name: '10,000 unknown fields',
    path: parts,
    body: () => part('unknown', stringifyJson(record(10_000, (i) => [`u${i}`, i]))),
    status: 201,
  },
  {
    row: 125,
    name: '5,000 owners',
    path: parts,
    body: () =>
      part('owned', '{}', {
        ownerReferences: times(5000, (i) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: `u${i}` })),
      }),
    status: 201,
  },
  {
    row: 125,
    name: '20,000 finalizers',
    path: parts,
    body: () => part('final', '{}', { finalizers: times(20_000, (i) => `a.b/c${i}`) }),
    status: 201,
  },
  {
    row: 0,
    name: '10,000 labels',
    path: parts,
    body: () => part('labelled', '{}', { labels: record(10_000, (i) => [`k${i}`, 'x']) }),
    status: 201,
  },
  {
    row: 0,
    name: 'a pattern that backtracks elsewhere',
    path: parts,
    body: () => part('pattern', stringifyJson({ pattern: `${'a'.repeat(100_000)}b` })),
    status: 422,
  },
  {
    row: 107,
    name: '2,000 entries of managedFields',
    method: 'PUT',
    path: base,
    body: () => ({ entries: 2000 }),
    status: 422,
  },
  { row: 101, name: 'a schema 65 deep', path: crds, body: () => nestedSchema(64), status: 422 },
  { row: 126, name: 'a schema 2,000 deep', path: crds, body: () => nestedSchema(2_000), status: 400 },
  {
    row: 126,
    name: 'a schema of 10,000 properties',
    path: crds,
    body: () => definition(record(10_000, (i) => [`p${i}`, { type: 'string' }])),
    status: 422,
  },
  {
    row: 126,
    name: 'an enum of 50,000',
    path: crds,
    body: () => definition({ a: { type: 'string', enum: times(50_000, (i) => `v${i}`) } }),
    status: 422,
  },
  {
    row: 126,
    name: 'anyOf that doubles 14 times',
    path: crds,
    body: () => definition({ a: { type: 'string', ...anyOf(14) } }),
    status: 422,
  },
  {
    row: 0,
    name: 'a DELETE body over the limit',
    method: 'DELETE',
    path: base,
    body: () => padded('{}', 3_200_000),
    status: 413,
  },
  {
    row: 118,
    name: 'a continue token of 100 KB',
    method: 'GET',
    path: `${parts}?limit=1&continue=${'A'.repeat(100_000)}`,
    body: () => undefined,
    status: 400,
  },
  {
    row: 85,
    name: 'a selector of 900 KB',
    method: 'GET',
    path: `${parts}?labelSelector=a+in+(${times(130_000, (i) => `v${i}`).join(',')})`,
    body: () => undefined,
    status: 400,
  },
  {
    row: 0,
    name: 'a path of 100,000 segments',
    method: 'GET',
    path: `/api${'/v1'.repeat(100_000)}`,
    body: () => undefined,
    status: 400,
  },
  {
    row: 0,
    name: '10,000 parameters',
    method: 'GET',
    path: `${parts}?${'a=b&'.repeat(10_000)}`,
    body: () => undefined,
    status: 400,
  },
  {
    row: 0,
    name: '10,000 media types',
    method: 'GET',
    path: base,
    headers: { accept: 'a/b,'.repeat(10_000) },
    body: () => undefined,
    status: 406,
  },
  {
    row: 0,
    name: 'a media type of 500 KB',
    headers: { 'content-type': `application/json;${' '.repeat(500_000)}=` },
    body: () => small,
    status: 415,
  },
  {
    row: 0,
    name: 'YAML of 3 MB in one line',
    type: 'application/yaml',
    body: () => `a: [${'{b: [c]},'.repeat(300_000)}]`,
    status: 400,
  },
  {
    row: 0,
    name: 'YAML 100,000 deep',
    type: 'application/yaml',
    body: () => `a: ${nestedArrays(100_000)}`,
    status: 400,
  },
  {
    row: 0,
    name: 'YAML of 100,000 anchors',
    type: 'application/yaml',
    body: () => times(100_000, (i) => `k${i}: &a${i} 1`).join('\n'),
    status: 422,
  },
  {
    row: 0,
    name: 'YAML of 50,000 equal keys',
    type: 'application/yaml',
    body: () => 'k: 1\n'.repeat(50_000),
    status: 422,
  },
  { row: 0, name: 'JSON of 100,000 equal keys', body: () => `{${'"k":1,'.repeat(100_000)}"k":1}`, status: 422 },
  {
    row: 28,
    name: 'a number of 1,000,000 digits',
    path: parts,
    body: () => part('digits', `{"x":{"a":${'9'.repeat(1_000_000)}}}`),
    status: 400,
  },
]

suite('large input', () => {
  let store: Store
  let hub: TestHub
  before(async () => {
    store = await openMemoryStore({ random })
    hub = await createTestHub({ store })
    const spec = {
      type: 'object',
      properties: {
        n: { type: 'integer' },
        big: { type: 'string' },
        pattern: { type: 'string', pattern: '^(a+)+$' },
        list: { type: 'array', items: { type: 'integer' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['p'],
          items: { type: 'object', required: ['p'], properties: { p: { type: 'integer' } } },
        },
        x: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    }
    assert.equal((await hub.post(crds, crd('parts', 'Part', spec))).status, 201)
    assert.equal((await hub.post(parts, part('base', '{"n":1,"list":[]}'))).status, 201)
  })
  after(async () => {
    await hub[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })

  for (const { row, name, method = 'POST', path = configMaps, type = json, headers = {}, body, status } of inputs) {
    test(`${row} ${name}`, async () => {
      const content = row === 107 ? await withManagers(hub, 2000) : body()
      const revision = await store.revision()
      const busy = process.cpuUsage()
      const answer = await hub.call(method, path, {
        headers: { 'content-type': type, ...headers },
        ...(content === undefined ? {} : { body: content }),
      })
      const { user, system } = process.cpuUsage(busy)
      assert.equal(answer.status, status, answer.text.slice(0, 500))
      assert.ok((user + system) / 1000 < maxBusyMs, `${(user + system) / 1000} ms of work`)
      if (status >= 400) assert.equal(await store.revision(), revision, 'a refused request wrote something')
    })
  }

  test('a body without a length is read up to the limit only', async () => {
    let sent = 0
    async function* endless() {
      for (;;) {
        sent += 65_536
        yield Buffer.alloc(65_536, ' ')
      }
    }
    const request = { method: 'POST', target: configMaps, headers: {}, signal: new AbortController().signal }
    const { status } = await hub.hub.handle({ ...request, body: endless() }, admin)
    assert.equal(status, 413)
    assert.ok(sent <= 3_145_728 + 65_536)
  })
})

async function withManagers(hub: TestHub, count: number): Promise<JsonObject> {
  const { body } = await hub.get(base)
  assert.equal(textAt(objectAt(body, 'metadata'), 'name'), 'base')
  const entry = {
    operation: 'Apply',
    apiVersion: 'large.example.com/v1',
    time: '2020-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
  }
  const managedFields = times(count, (i) => ({ manager: `m${i}`, ...entry, fieldsV1: { 'f:spec': { 'f:n': {} } } }))
  return { ...body, metadata: { ...objectAt(body, 'metadata'), managedFields } }
}
