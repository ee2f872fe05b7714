import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import * as fc from 'fast-check'
import { cloneObject, isJsonArray, isJsonObject, type Json, type JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parse.ts'
import { stringifyJson } from '../json/stringify.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { PatchError } from '../patch/patch-error.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import { compileSchema } from '../schema/structural.ts'
import { FieldSet } from './field-set.ts'
import { applyServerSide, type FieldConflict, trackUpdate } from './managed-fields.ts'
import { FieldSetError } from './path-element.ts'

function load(url: string): JsonObject {
  const { value } = parseJson(readFileSync(new URL(url, import.meta.url)))
  assert.ok(isJsonObject(value))
  return value
}
const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
const list = (value: Json | undefined): readonly JsonObject[] => (isJsonArray(value) ? value.filter(isJsonObject) : [])
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

const widget = objectOf(load('../schema/testdata/validation.json')['schema'])
const configMap: JsonSchema = {
  type: 'object',
  properties: { data: { type: 'object', additionalProperties: { type: 'string' } } },
}

const message = (conflict: FieldConflict): string => {
  const subresource = conflict.subresource === undefined ? '' : ` with subresource "${conflict.subresource}"`
  const using = conflict.operation === 'Update' ? ` using ${conflict.apiVersion}` : ''
  return `${conflict.path} conflict with "${conflict.manager}"${subresource}${using}`
}

/** What the registry does afterwards, and what it alone fills in. */
function stored(object: JsonObject, step: JsonObject): JsonObject {
  const result = cloneObject(object)
  if (step['kind'] === 'Widget') compileSchema(widget).applyDefaults(result)
  const live = objectOf(step['live'])
  const isStatus = step['subresource'] === 'status'
  const { managedFields, labels } = objectOf(result['metadata'])
  return {
    managedFields: managedFields ?? null,
    labels: (isStatus ? objectOf(live['metadata'])['labels'] : labels) ?? null,
    data: result['data'] ?? null,
    spec: (isStatus ? live['spec'] : result['spec']) ?? null,
    status: (isStatus ? result['status'] : step['kind'] === 'Widget' ? live['status'] : undefined) ?? null,
  }
}

for (const step of list(load('testdata/apply.json')['steps']))
  test(`field management answers as kube-apiserver 1.35.4 does: ${text(step['name'])}`, () => {
    const isWidget = step['kind'] === 'Widget'
    const live = isJsonObject(step['live']) ? step['live'] : undefined
    const body = objectOf(step['body'])
    const input = {
      ...(live === undefined ? {} : { live }),
      schema: isWidget ? widget : configMap,
      manager: text(step['manager']),
      apiVersion: isWidget ? 'w.example.com/v1' : 'v1',
      time: '2026-11-23T10:28:37Z',
      subresource: text(step['subresource']),
      resetFields: isWidget ? [step['subresource'] === 'status' ? 'spec' : 'status'] : [],
    }
    const want = isJsonObject(step['want']) ? stored(step['want'], step) : undefined
    if (step['operation'] === 'update') {
      const next = objectOf(applyMergePatch(live ?? {}, body))
      assert.deepEqual(stored(trackUpdate({ ...input, next }), step), want)
      return
    }
    const apply = () => applyServerSide({ ...input, config: body, force: step['force'] === true })
    if (typeof step['message'] === 'string') {
      assert.throws(apply, { name: 'PatchError', message: step['message'] })
      return
    }
    const outcome = apply()
    if (outcome.state === 'merged') assert.deepEqual(stored(outcome.object, step), want)
    else assert.deepEqual(outcome.conflicts.map(message), step['conflicts'])
  })

const schema: JsonSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        n: { type: 'integer' },
        map: { type: 'object', additionalProperties: { type: 'string' } },
        set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        atomic: { type: 'array', items: { type: 'string' } },
        items: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
          items: { type: 'object', properties: { k: { type: 'string' }, v: { type: 'integer' } } },
        },
      },
    },
  },
}
const base = { schema, apiVersion: 'e.x/v1', time: '2026-01-01T00:00:00Z' }
const meta = { apiVersion: 'e.x/v1', kind: 'K', metadata: { name: 'a' } }
const apply = (manager: string, spec: JsonObject, live?: JsonObject, force = false) =>
  applyServerSide({ ...base, manager, force, config: { ...meta, spec }, ...(live === undefined ? {} : { live }) })
function applied(manager: string, spec: JsonObject, live?: JsonObject, force = false): JsonObject {
  const outcome = apply(manager, spec, live, force)
  assert.equal(outcome.state, 'merged')
  return outcome.state === 'merged' ? outcome.object : {}
}
const managers = (object: JsonObject) => list(objectOf(object['metadata'])['managedFields'])
const ownersOf = (object: JsonObject) =>
  managers(object).map(({ manager, operation }) => `${text(manager)} ${text(operation)}`)

test('an explicit takeover moves ownership, and the loser loses only what was taken', () => {
  const first = applied('a', { n: 1, map: { x: '1' } })
  const second = applied('b', { n: 2 }, first, true)
  assert.deepEqual(
    managers(second).map(({ fieldsV1 }) => fieldsV1),
    [{ 'f:spec': { 'f:map': { 'f:x': {} } } }, { 'f:spec': { 'f:n': {} } }],
  )
})

test('a field that two appliers own stays when one lets go, and goes with the last', () => {
  const both = applied('b', { n: 1 }, applied('a', { n: 1 }))
  const one = applied('a', {}, both)
  assert.deepEqual(one['spec'], { n: 1 })
  assert.deepEqual(objectOf(applied('b', {}, one)['spec']), {})
})

test('applied list items come in the applied order, and others keep their place', () => {
  const live = applied('a', { items: [{ k: '1' }, { k: '2' }, { k: '3' }] })
  const result = applied('b', { items: [{ k: '3' }, { k: 'x' }, { k: '1' }] }, live)
  assert.deepEqual(objectOf(result['spec'])['items'], [{ k: '2' }, { k: '3' }, { k: 'x' }, { k: '1' }])
})

test('removing an item removes it only when nobody else owns it', () => {
  const live = applied('b', { items: [{ k: '1', v: 1 }] }, applied('a', { items: [{ k: '1', v: 1 }, { k: '2' }] }))
  assert.deepEqual(objectOf(applied('a', { items: [] }, live)['spec'])['items'], [{ k: '1', v: 1 }])
})

test('a field that became atomic belongs whole to whoever owned a part', () => {
  const live = applied('a', { map: { x: '1' } })
  const atomic: JsonSchema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          map: { type: 'object', additionalProperties: { type: 'string' }, 'x-kubernetes-map-type': 'atomic' },
          n: { type: 'integer' },
        },
      },
    },
  }
  const next = trackUpdate({
    ...base,
    schema: atomic,
    live,
    next: { ...live, spec: { map: { x: '1' }, n: 1 } },
    manager: 'u',
  })
  assert.deepEqual(managers(next)[0]?.['fieldsV1'], { 'f:spec': { 'f:map': {} } })
})

for (const { name, spec, kind } of [
  { name: 'an unknown field', spec: { zz: 1 }, kind: 'malformed' },
  { name: 'a wrong type', spec: { n: 'x' }, kind: 'inapplicable' },
  { name: 'a duplicate set item', spec: { set: ['a', 'a'] }, kind: 'inapplicable' },
  { name: 'a list item without its key', spec: { items: [{ v: 1 }] }, kind: 'inapplicable' },
] satisfies { name: string; spec: JsonObject; kind: PatchError['kind'] }[])
  test(`an applied configuration with ${name} is refused`, () => {
    assert.throws(
      () => apply('a', spec),
      (error) => error instanceof PatchError && error.kind === kind,
    )
  })

test('managedFields may not be applied', () => {
  const config = { ...meta, metadata: { name: 'a', managedFields: [] } }
  assert.throws(() => applyServerSide({ ...base, manager: 'a', force: false, config }), {
    name: 'PatchError',
    message: 'metadata.managedFields must be nil',
  })
})

test('of thirteen updaters the oldest are folded together', () => {
  let object: JsonObject = { ...meta, spec: { map: { k0: '0' } } }
  object = trackUpdate({ ...base, next: object, manager: 'm00' })
  for (let i = 1; i < 13; i++) {
    const next = applyMergePatch(object, { spec: { map: { [`k${i}`]: '1' } } })
    object = trackUpdate({
      ...base,
      live: object,
      next: objectOf(next),
      manager: `m${String(i).padStart(2, '0')}`,
      time: `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`,
    })
  }
  assert.deepEqual(ownersOf(object), [
    'ancient-changes Update',
    ...Array.from({ length: 9 }, (_, i) => `m${String(i + 4).padStart(2, '0')} Update`),
  ])
})

test('a write that changes nothing leaves managers and their times alone', () => {
  const object = trackUpdate({ ...base, next: { ...meta, spec: { n: 1 } }, manager: 'u' })
  assert.deepEqual(
    trackUpdate({ ...base, live: object, next: object, manager: 'v', time: '2027-01-01T00:00:00Z' }),
    object,
  )
})

test('managedFields that cannot be read are ignored in favour of the live ones', () => {
  const object = trackUpdate({ ...base, next: { ...meta, spec: { n: 1 } }, manager: 'u' })
  const next = { ...object, metadata: { name: 'a', managedFields: [{ manager: 'x', operation: 'Frob' }] } }
  assert.deepEqual(ownersOf(trackUpdate({ ...base, live: object, next, manager: 'u' })), ['u Update'])
})

test('kubectl inherits the unchanged fields of its client-side apply', () => {
  const configuration = { ...meta, spec: { n: 1 } }
  const next = {
    ...meta,
    metadata: {
      name: 'a',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': stringifyJson(configuration) },
    },
    spec: { n: 1 },
  }
  const live = trackUpdate({ ...base, next, manager: 'kubectl-client-side-apply' })
  const config = { ...meta, spec: { n: 2 } }
  const outcome = applyServerSide({ ...base, live, config, manager: 'kubectl', force: false })
  assert.ok(outcome.state === 'merged')
  const annotations = objectOf(objectOf(outcome.object['metadata'])['annotations'])
  assert.equal(annotations['kubectl.kubernetes.io/last-applied-configuration'], `${stringifyJson(config)}\n`)
  assert.equal(applyServerSide({ ...base, live, config, manager: 'other', force: false }).state, 'conflict')
})

const word = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor')
const spec = fc.record(
  {
    n: fc.integer({ min: 0, max: 3 }),
    map: fc.dictionary(word, fc.constantFrom('1', '2'), { maxKeys: 3, noNullPrototype: true }),
    set: fc.uniqueArray(word, { maxLength: 3 }),
    atomic: fc.array(word, { maxLength: 2 }),
    items: fc.uniqueArray(fc.record({ k: word, v: fc.integer({ min: 0, max: 2 }) }, { noNullPrototype: true }), {
      maxLength: 3,
      selector: (item) => item.k,
    }),
  },
  { requiredKeys: [], noNullPrototype: true },
)

test('applying the same configuration twice changes nothing', () => {
  fc.assert(
    fc.property(spec, spec, (other, config) => {
      const once = applied('b', config, applied('a', other), true)
      const outcome = applyServerSide({
        ...base,
        live: once,
        config: { ...meta, spec: config },
        manager: 'b',
        force: false,
        time: '2027-01-01T00:00:00Z',
      })
      assert.deepEqual(outcome, { state: 'merged', object: once })
    }),
  )
})

test('an object that one manager applied is what it applied, whatever it applied before', () => {
  fc.assert(
    fc.property(spec, spec, (before, config) => {
      const twice = applied('a', config, applied('a', before))
      const once = applied('a', config)
      assert.deepEqual(withoutEmpty(twice['spec'] ?? null), withoutEmpty(once['spec'] ?? null))
      assert.deepEqual(
        managers(twice).map(({ fieldsV1 }) => fieldsV1),
        managers(once).map(({ fieldsV1 }) => fieldsV1),
      )
    }),
  )
})

/** An emptied container may stay behind as an empty one. */
const withoutEmpty = (value: Json): Json =>
  isJsonObject(value)
    ? Object.fromEntries(
        Object.entries(value).filter(([, member]) => stringifyJson(member) !== '[]' && stringifyJson(member) !== '{}'),
      )
    : value

test('after a forced apply its manager owns every field it applied', () => {
  fc.assert(
    fc.property(spec, spec, (other, config) => {
      const result = applied('b', config, applied('a', other), true)
      const alone = managers(applied('b', config))
      assert.deepEqual(managers(result).find(({ manager }) => manager === 'b')?.['fieldsV1'], alone[0]?.['fieldsV1'])
      assert.equal(Reflect.get({}, 'a'), undefined)
    }),
  )
})

test('every changed field has its writer as owner', () => {
  fc.assert(
    fc.property(spec, spec, (before, after) => {
      const live = trackUpdate({ ...base, next: { ...meta, spec: before }, manager: 'a' })
      const next = trackUpdate({ ...base, live, next: { ...live, spec: after }, manager: 'b' })
      const back = trackUpdate({ ...base, live: next, next: { ...next, spec: before }, manager: 'a' })
      const only = managers(trackUpdate({ ...base, next: { ...meta, spec: before }, manager: 'a' }))
      const union = managers(back).reduce(
        (set, { fieldsV1 }) => set.union(FieldSet.parse(fieldsV1 ?? {})),
        FieldSet.empty,
      )
      assert.deepEqual(union.toJson(), FieldSet.parse(only[0]?.['fieldsV1'] ?? {}).toJson())
    }),
  )
})

test('a field set reads back as it was written', () => {
  const fields = {
    'f:a': { '.': {}, 'f:b': {} },
    'f:l': { 'k:{"a":1,"b":"x"}': { '.': {}, 'f:c': {} } },
    'f:s': { 'v:"x"': {}, 'i:0': {} },
  }
  assert.equal(stringifyJson(FieldSet.parse(fields).toJson()), stringifyJson(fields))
  for (const bad of [{ x: {} }, { 'k:1': {} }, { 'v:{': {} }, { 'i:x': {} }, [], { 'f:a': 1 }])
    assert.throws(() => FieldSet.parse(bad), FieldSetError)
})
