import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json, JsonObject, JsonSchema } from '@orrery/api'
import {
  checkStructural,
  compileSchema,
  getKey,
  integer,
  isJsonObject,
  object,
  optional,
  parseJson,
  parseJsonSchema,
  string,
  withDefault,
} from '@orrery/api'
import { defineKind } from './kind.ts'
import { customResourceDefinitionsOf, forProviderSchema, REFERENCES_ANNOTATION } from './kinds.ts'
import { defineProvider } from './provider.ts'

const state = object({ size: integer() })
const effects = {
  safety: { create: { type: 'name' }, update: { type: 'name' }, delete: { type: 'name' } },
  maxLateExecutionMs: 0,
  observe: async () => ({ state: 'absent' as const }),
  create: async () => ({ state: 'done' as const }),
  update: async () => ({ state: 'done' as const }),
  delete: async () => ({ state: 'done' as const }),
} as const

const volume = defineKind<undefined>()({
  kind: 'Volume',
  plural: 'volumes',
  description: 'A disk.',
  forProvider: object({
    size: withDefault(integer({ minimum: 1 }), 10),
    pool: string({ 'x-orrery-immutable': true }),
    owner: optional(string()),
    groups: optional({ json: { type: 'array', items: { type: 'string' } }, optional: false }),
    password: optional(string({ 'x-orrery-sensitive': true })),
  }),
  atProvider: state,
  dataBearing: true,
  references: {
    pool: { to: 'Pool', required: true },
    owner: { to: 'User' },
    groups: { to: 'Group', list: true },
  },
  ...effects,
})
const pool = defineKind<undefined>()({
  kind: 'Pool',
  plural: 'pools',
  description: 'Disks.',
  forProvider: object({}),
  atProvider: state,
  dataBearing: false,
  providerConfig: 'none',
  ...effects,
})
const provider = defineProvider<undefined>()({
  group: 'storage.example.com',
  description: 'Storage.',
  shortName: 'st',
  config: object({ address: optional(string()) }),
  instanceKind: 'Pool',
  kinds: [volume, pool],
  maxConcurrentCalls: 4,
  connect: () => undefined,
  close: async () => undefined,
  check: async () => undefined,
  identify: () => 'storage',
})

const definitions = customResourceDefinitionsOf(provider)
const named = (name: string) => {
  const found = definitions.find(({ metadata }) => metadata.name === name)
  assert.ok(found, `no CustomResourceDefinition ${name}`)
  return found
}

function asObject(json: Json | undefined): JsonObject {
  assert.ok(json !== undefined && isJsonObject(json))
  return json
}

/** The schema of the one version, as an API server reads it. */
function schemaOf(name: string): Json {
  const [version] = Object.values(named(name).spec['versions'] ?? {})
  return getKey(asObject(getKey(asObject(version), 'schema')), 'openAPIV3Schema') ?? null
}

for (const { metadata } of definitions) {
  test(`the schema generated for ${metadata.name} is structural`, () => {
    const { schema, errors } = parseJsonSchema(asObject(schemaOf(metadata.name)), 'schema')
    assert.deepEqual(errors, [])
    assert.deepEqual(checkStructural(schema, 'schema'), [])
  })

  test(`the schema generated for ${metadata.name} says nothing that only the engine understands`, () => {
    assert.ok(!JSON.stringify(schemaOf(metadata.name)).includes('x-orrery'))
  })
}

const compiled = (name: string) => compileSchema(parseJsonSchema(asObject(schemaOf(name)), 'schema').schema)
/** The spec of an object of that kind as the server would store it. */
function defaulted(name: string, forProvider: Json): JsonObject {
  const given = parseJson(JSON.stringify({ spec: { forProvider } })).value
  compiled(name).applyDefaults(asObject(given))
  return asObject(getKey(asObject(given), 'spec'))
}

test('a managed object gets its policies, its config and the defaults of its kind', () => {
  const spec = defaulted('volumes.storage.example.com', { pool: 'a' })
  assert.deepEqual(spec, {
    forProvider: { pool: 'a', size: 10 },
    managementPolicies: ['*'],
    driftPolicy: 'Correct',
    providerConfigRef: { name: 'default', kind: 'ProviderConfig' },
  })
})

test('a kind that is its own system has no providerConfigRef', () => {
  const spec = defaulted('pools.storage.example.com', {})
  assert.equal(getKey(spec, 'providerConfigRef'), undefined)
})

for (const { rule, forProvider, valid } of [
  { rule: 'by its value', forProvider: { pool: 'a' }, valid: true },
  { rule: 'by reference', forProvider: { poolRef: { name: 'a' } }, valid: true },
  { rule: 'by selector', forProvider: { poolSelector: { matchLabels: { tier: 'a' } } }, valid: true },
  { rule: 'not at all', forProvider: {}, valid: false },
  { rule: 'by a selector that selects everything', forProvider: { poolSelector: { matchLabels: {} } }, valid: false },
  { rule: 'with a list of references beside it', forProvider: { pool: 'a', groupsRefs: [{ name: 'g' }] }, valid: true },
  {
    rule: 'with a single reference where a list is due',
    forProvider: { pool: 'a', groupsRefs: { name: 'g' } },
    valid: false,
  },
]) {
  test(`a required reference given ${rule} is ${valid ? 'accepted' : 'refused'}`, () => {
    const errors = compiled('volumes.storage.example.com').validate({ spec: { forProvider } })
    assert.equal(errors.length === 0, valid, JSON.stringify(errors))
  })
}

test('reference fields stand beside the field they fill, which is no longer required by itself', () => {
  const { properties = {}, required = [] }: JsonSchema = forProviderSchema(volume)
  for (const field of ['pool', 'poolRef', 'poolSelector', 'groupsRefs', 'groupsSelector'])
    assert.ok(field in properties)
  assert.ok(!required.includes('pool'))
})

test('only a provider with instances offers instanceRef, and never across namespaces', () => {
  const has = (name: string) => JSON.stringify(schemaOf(name)).includes('"instanceRef"')
  assert.equal(has('providerconfigs.storage.example.com'), true)
  assert.equal(has('clusterproviderconfigs.storage.example.com'), false)
  const { instanceKind: _instanceKind, ...without } = provider
  const config = customResourceDefinitionsOf(without).find(({ metadata }) =>
    metadata.name.startsWith('providerconfigs.'),
  )
  assert.ok(!JSON.stringify(config).includes('instanceRef'))
})

test('a definition tells tools which kinds its reference fields lead to', () => {
  const references = (name: string) => named(`${name}.${provider.group}`).metadata.annotations?.[REFERENCES_ANNOTATION]
  assert.equal(references('volumes'), JSON.stringify({ pool: 'Pool', owner: 'User', groups: 'Group' }))
  assert.equal(references('pools'), undefined)
})
