import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import {
  checkStructural,
  cloneObject,
  compileSchema,
  type FieldError,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  parseJson,
} from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { formatAge } from './columns.ts'
import { configMapDefinition } from './config-maps.ts'
import { definitionOfCustomResource } from './custom-resource.ts'
import { customResourceDefinitionDefinition } from './custom-resource-definitions.ts'
import { builtinDefinitions } from './definitions.ts'
import { eventDefinition } from './events.ts'
import { textAt } from './fields.ts'
import { firstAt, parseJsonPath } from './json-path.ts'
import { leaseDefinition } from './leases.ts'
import { namespaceDefinition } from './namespaces.ts'
import { reviewDefinitions } from './reviews.ts'
import { secretDefinition } from './secrets.ts'

function load(name: string): JsonObject {
  const { value } = parseJson(readFileSync(new URL(`testdata/${name}`, import.meta.url)))
  assert.ok(isJsonObject(value))
  return value
}
const list = (value: Json | undefined): readonly JsonObject[] => (isJsonArray(value) ? value.filter(isJsonObject) : [])
const lines = (errors: readonly FieldError[]) => errors.map(({ path, message }) => `${path}: ${message}`).sort()

/** What the registry does with a new object before it is stored. */
function judge(
  definition: ResourceDefinition,
  source: JsonObject,
  old?: JsonObject,
): { object: JsonObject; errors: string[] } {
  const object = cloneObject(source)
  const schema = compileSchema(definition.schema)
  schema.prune(object)
  schema.applyDefaults(object)
  definition.prepare?.(object, old)
  return { object, errors: lines([...schema.validate(object), ...(definition.validate?.(object, old) ?? [])]) }
}

for (const { name, object, causes } of list(load('crds.json')['cases']))
  test(`a CRD is judged as kube-apiserver 1.35.4 does: ${JSON.stringify(name)}`, () => {
    assert.ok(isJsonObject(object))
    const want = list(causes)
      .map((cause) => `${textAt(cause, 'field')}: ${textAt(cause, 'message')}`)
      .sort()
    assert.deepEqual(judge(customResourceDefinitionDefinition, object).errors, want)
  })

const { crd, object: widget, cells, columnDefinitions } = load('table.json')
assert.ok(isJsonObject(crd) && isJsonObject(widget))

test('the columns of a custom resource are those that kube-apiserver 1.35.4 shows', () => {
  const { columns } = definitionOfCustomResource(crd, 'v1')
  const shown = columns.map(({ name, type, format = '', description, priority }) => ({
    name,
    type,
    format,
    description,
    priority,
  }))
  assert.deepEqual(shown, columnDefinitions)
  const nowMs = Date.parse('2026-11-23T10:25:05Z')
  assert.deepEqual(
    columns.map((column) => column.cell(widget, nowMs)),
    cells,
  )
})

test('a custom resource has the names, subresources and selectable fields of its CRD', () => {
  const definition = definitionOfCustomResource(crd, 'v1')
  assert.equal(definition.info.plural, 'widgets')
  assert.equal(definition.status, true)
  assert.deepEqual(definition.scale, {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.sel',
  })
  assert.deepEqual(definition.fieldsOf(widget), { 'spec.a': 'zzz', 'spec.replicas': '2' })
  assert.throws(() => definitionOfCustomResource(crd, 'v9'), TypeError)
})

test('every built-in kind has a structural schema and a description for each field', () => {
  for (const { schema, info } of [...builtinDefinitions, ...reviewDefinitions]) {
    const { metadata, ...properties } = schema.properties ?? {}
    const { 'x-kubernetes-group-version-kind': _, ...rest } = schema
    const errors = checkStructural({ ...rest, properties }, info.kind).filter(
      (error) => !error.message.includes('list-map-keys'),
    )
    assert.deepEqual(errors, [], info.kind)
    assert.notEqual(metadata, undefined)
  }
})

const meta = { apiVersion: 'v1', metadata: { name: 'a', namespace: 'n' } }

test('plain text of a Secret is stored as base64, over what was there', () => {
  const { object, errors } = judge(secretDefinition, {
    ...meta,
    data: { a: 'b2xk', b: 'Yg==' },
    stringData: { a: 'new' },
  })
  assert.deepEqual(errors, [])
  assert.deepEqual(object, { ...meta, data: { a: 'bmV3', b: 'Yg==' }, type: 'Opaque' })
})

test('a Secret keeps the keys __proto__, constructor and toString', () => {
  const { value } = parseJson('{"metadata":{"name":"a"},"stringData":{"__proto__":"x","constructor":"y"}}')
  assert.ok(isJsonObject(value))
  const data = judge(secretDefinition, value).object['data']
  assert.ok(isJsonObject(data))
  assert.deepEqual(Object.keys(data).sort(), ['__proto__', 'constructor'])
})

// Recorded from kube-apiserver 1.35.4.
for (const { name, secret, old, want } of [
  {
    name: 'of a docker config that is no JSON',
    secret: { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'x' } },
    want: [
      `data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character 'x' looking for beginning of value`,
    ],
  },
  {
    name: 'of a service account token without its account',
    secret: { type: 'kubernetes.io/service-account-token' },
    want: ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
  },
  {
    name: 'of type tls without a key',
    secret: { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } },
    want: ['data[tls.key]: Required value'],
  },
  {
    name: 'that is immutable',
    secret: { type: 'Opaque', data: { a: '' }, immutable: true },
    old: { type: 'Opaque', data: { a: 'Yg==' }, immutable: true },
    want: ['data: Forbidden: field is immutable when `immutable` is set'],
  },
  {
    name: 'whose type changes',
    secret: { type: 'b' },
    old: { type: 'a' },
    want: ['type: Invalid value: "b": field is immutable'],
  },
] satisfies { name: string; secret: JsonObject; old?: JsonObject; want: string[] }[])
  test(`a Secret ${name} is refused`, () => {
    assert.deepEqual(
      judge(secretDefinition, { ...meta, ...secret }, old === undefined ? undefined : { ...meta, ...old }).errors,
      want,
    )
  })

test('no error of a Secret shows a value', () => {
  const { errors } = judge(secretDefinition, {
    ...meta,
    type: 'kubernetes.io/dockercfg',
    data: { a: 'hunter2!', '.dockercfg': 'aHVudGVyMg==' },
    stringData: { b: 7 },
  })
  assert.ok(errors.length > 0)
  assert.ok(!errors.join().includes('hunter2'))
})

test('a ConfigMap keeps its two kinds of data apart, and its size bounded', () => {
  const { errors } = judge(configMapDefinition, { ...meta, data: { k: 'v', 'a/b': '' }, binaryData: { k: 'Yg==' } })
  assert.equal(errors.length, 2)
  assert.equal(judge(configMapDefinition, { ...meta, data: { k: 'x'.repeat(1024 * 1024 + 1) } }).errors.length, 1)
})

test('a namespace is labelled with its name, and finalized until it is empty', () => {
  const created = judge(namespaceDefinition, { ...meta, metadata: { name: 'a' } }).object
  assert.deepEqual(created, {
    ...meta,
    metadata: { name: 'a', labels: { 'kubernetes.io/metadata.name': 'a' } },
    spec: { finalizers: ['kubernetes'] },
  })
  const updated = judge(namespaceDefinition, { ...meta, metadata: { name: 'a' } }, created).object
  assert.deepEqual(updated, created)
})

for (const { name, spec, errors } of [
  { name: 'a duration of zero', spec: { leaseDurationSeconds: 0 }, errors: 1 },
  { name: 'a time without microseconds', spec: { renewTime: '2020-01-01T00:00:00Z' }, errors: 1 },
  { name: 'a preferred holder without strategy', spec: { preferredHolder: 'x' }, errors: 1 },
  {
    name: 'what client-go writes',
    spec: { holderIdentity: 'x', leaseDurationSeconds: 15, renewTime: '2020-01-01T00:00:00.000000Z' },
    errors: 0,
  },
])
  test(`a Lease with ${name}: ${errors} errors`, () =>
    assert.equal(judge(leaseDefinition, { ...meta, spec }).errors.length, errors))

test('an Event is shown as kubectl prints it', () => {
  const event = {
    ...meta,
    involvedObject: { kind: 'Database', name: 'app', namespace: 'n' },
    reason: 'DriftDetected',
    message: ' m\n',
    type: 'Warning',
    count: 3,
    source: { component: 'manager' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:01:00Z',
  }
  const nowMs = Date.parse('2026-01-01T00:05:00Z')
  const row = eventDefinition.columns.map((column) => column.cell(event, nowMs))
  assert.deepEqual(row, ['4m', 'Warning', 'DriftDetected', 'database/app', '', 'manager', 'm', '5m', 3, 'a'])
  assert.equal(eventDefinition.fieldsOf(event)?.['involvedObject.name'], 'app')
  assert.deepEqual(judge(eventDefinition, event).errors, [])
  assert.equal(judge(eventDefinition, { ...event, involvedObject: { kind: 'A', namespace: 'other' } }).errors.length, 1)
})

for (const [seconds, want] of [
  [-2, '<invalid>'],
  [-1, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [150, '2m30s'],
  [600, '10m'],
  [10_800, '3h'],
  [11_100, '3h5m'],
  [28_800, '8h'],
  [172_800, '2d'],
  [180_000, '2d2h'],
  [691_200, '8d'],
  [63_072_000, '2y'],
  [63_158_400, '2y1d'],
  [252_288_000, '8y'],
] as const)
  test(`an age of ${seconds} s prints as ${want}`, () => assert.equal(formatAge(seconds * 1000), want))

const document: Json = {
  spec: { list: ['p', 'q'], 'a.b': 1 },
  status: {
    conditions: [
      { type: 'Synced', status: 'False' },
      { type: 'Ready', status: 'True' },
    ],
  },
}
for (const { path, want } of [
  { path: '.spec.list', want: ['p', 'q'] },
  { path: '.spec.list[*]', want: 'p' },
  { path: '.spec.list[1]', want: 'q' },
  { path: '.spec.list[-1]', want: 'q' },
  { path: ".spec['a.b']", want: 1 },
  { path: '.spec.a\\.b', want: 1 },
  { path: '{.spec.list[0]}', want: 'p' },
  { path: '.status.conditions[?(@.type=="Ready")].status', want: 'True' },
  { path: ".status.conditions[?(@.type!='Ready')].status", want: 'False' },
  { path: '.spec.missing.deeper', want: undefined },
  { path: '.spec.constructor', want: undefined },
])
  test(`JSONPath ${path}`, () => assert.deepEqual(firstAt(document, parseJsonPath(path) ?? []), want))

for (const path of ['.a[', '.a[?(@.b==]', '..a', '.a[?(evil())]', `.${'a'.repeat(2000)}`])
  test(`the JSONPath ${path.slice(0, 20)} is not supported`, () => assert.equal(parseJsonPath(path), undefined))
