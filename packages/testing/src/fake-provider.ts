import { array, integer, map, object, optional, string, withDefault } from '@orrery/api'
import type { KindDefinition, ProviderDefinition } from '@orrery/provider'
import { defineKind, defineProvider } from '@orrery/provider'
import type { FakeHold } from './fake-behaviour.ts'
import { behaviour, FakeClient } from './fake-behaviour.ts'
import type { FakeNature, FakeSystem } from './fake-system.ts'

/** A provider of a {@link FakeSystem} with a kind for each way in which an effect can be safe. */

export const FAKE_GROUP = 'fake.orrery.dev'

/** What the kinds promise; their systems stay within it. */
const LATE_MS = 20_000
const LIST_LAG_MS = 15_000
const READ_LAG_MS = 5_000
/** Long after the promise of the others; only a fence ends it. */
const FENCED_LATE_MS = 300_000
const CLUSTER_MS = 30_000
const TOKEN_LIFETIME_MS = 24 * 60 * 60 * 1000
const PASSWORD_LENGTH = 20

const fields = {
  size: withDefault(integer({ minimum: 1, maximum: 1_000 }), 1),
  region: optional(string({ 'x-orrery-immutable': true })),
  tags: optional(map(string())),
}
const observed = {
  id: string(),
  size: integer(),
  region: optional(string()),
  tags: optional(map(string())),
}
const forProvider = object(fields)
const atProvider = object(observed)

const byName = { type: 'name' } as const
const named = { create: byName, update: byName, delete: byName }
const common = { forProvider, atProvider, dataBearing: false, maxLateExecutionMs: LATE_MS }

/** As slow as the kinds allow their system to be, at most; `slowness` in [0, 1]. */
export function fakeNature(slowness: number): Readonly<Record<string, FakeNature>> {
  const prompt = { lateMs: LATE_MS * slowness, listLagMs: 0, readLagMs: 0 }
  const slow = { ...prompt, readLagMs: READ_LAG_MS * slowness, listLagMs: LIST_LAG_MS * slowness }
  return {
    Topic: prompt,
    Bucket: slow,
    Volume: slow,
    Address: slow,
    Table: { ...prompt, lateMs: FENCED_LATE_MS * slowness },
    Ticket: prompt,
    Cluster: prompt,
    Login: prompt,
    Server: prompt,
  }
}

/** Unique names, and no place for a mark. */
const topic = defineKind<FakeClient>()({
  ...common,
  kind: 'Topic',
  plural: 'topics',
  description: 'Its name is unique.',
  safety: named,
  ...behaviour({ kind: 'Topic', findBy: 'name', marks: false }),
})

/** Unique names, marks, and data that must not be lost. */
const bucket = defineKind<FakeClient>()({
  ...common,
  kind: 'Bucket',
  plural: 'buckets',
  description: 'Holds data.',
  dataBearing: true,
  safety: named,
  maxReadLagMs: READ_LAG_MS,
  ...behaviour({ kind: 'Bucket', findBy: 'name', marks: true }),
})

/** The system chooses the id and honours a token. */
const volume = defineKind<FakeClient>()({
  ...common,
  kind: 'Volume',
  plural: 'volumes',
  description: 'Made with an idempotency token.',
  safety: { ...named, create: { type: 'token', lifetimeMs: TOKEN_LIFETIME_MS } },
  maxReadLagMs: READ_LAG_MS,
  ...behaviour({ kind: 'Volume', findBy: 'id', marks: false, honoursToken: true }),
})

/** The system chooses the id; what was made is found by its mark in a list that lags. */
const address = defineKind<FakeClient>()({
  ...common,
  kind: 'Address',
  plural: 'addresses',
  description: 'Found by its mark.',
  safety: { ...named, create: { type: 'find', maxListLagMs: LIST_LAG_MS } },
  maxReadLagMs: LIST_LAG_MS,
  ...behaviour({ kind: 'Address', findBy: 'mark', marks: true }),
})

const fenced = { type: 'fence' } as const

/** Nothing bounds how late a request is executed, except ending its session. */
const table = defineKind<FakeClient>()({
  ...common,
  kind: 'Table',
  plural: 'tables',
  description: 'Fenced by ending the session.',
  safety: { create: fenced, update: fenced, delete: fenced },
  maxLateExecutionMs: 0,
  ...behaviour({ kind: 'Table', findBy: 'name', marks: false, isUnique: false }),
})

/** The system chooses the id, and nothing helps. */
const ticket = defineKind<FakeClient>()({
  ...common,
  kind: 'Ticket',
  plural: 'tickets',
  description: 'Needs a person when a call is not answered.',
  safety: { ...named, create: { type: 'unsafe' } },
  ...behaviour({ kind: 'Ticket', findBy: 'id', marks: false }),
})

/** Takes long to make. */
const cluster = defineKind<FakeClient>()({
  ...common,
  kind: 'Cluster',
  plural: 'clusters',
  description: 'A long operation.',
  safety: named,
  ...behaviour({ kind: 'Cluster', findBy: 'name', marks: true, durationMs: CLUSTER_MS }),
})

/** Refers to others, and has a password. */
const login = defineKind<FakeClient>()({
  ...common,
  kind: 'Login',
  plural: 'logins',
  description: 'Has references, a password and a connection Secret.',
  forProvider: object({
    ...fields,
    topic: optional(string()),
    buckets: optional(array(string(), { 'x-kubernetes-list-type': 'set' })),
    passwordSecretRef: optional(object({ name: string({ minLength: 1 }), key: optional(string()) })),
    passwordVersion: withDefault(integer({ minimum: 0 }), 0),
  }),
  atProvider: object({ ...observed, topic: optional(string()), buckets: optional(array(string())) }),
  references: { topic: { to: 'Topic', required: true }, buckets: { to: 'Bucket', list: true } },
  credentials: {
    password: {
      from: 'passwordSecretRef',
      key: 'password',
      generate: { length: PASSWORD_LENGTH },
      rotateOn: (desired) => String(desired.passwordVersion),
    },
  },
  safety: named,
  ...behaviour({ kind: 'Login', findBy: 'name', marks: true }),
  connection({ credentials, externalName, desired }) {
    const { password } = credentials
    return password === undefined ? undefined : { username: externalName, password, topic: desired.topic ?? '' }
  },
})

/** Is a system itself: ProviderConfigs may name it. */
function server(system: FakeSystem, hold: FakeHold): KindDefinition {
  const own = () => new FakeClient({ system, token: system.token, hold })
  return defineKind<undefined>()({
    ...common,
    kind: 'Server',
    plural: 'servers',
    description: 'An instance.',
    providerConfig: 'none',
    safety: named,
    ...behaviour({ kind: 'Server', findBy: 'name', marks: true, clientOf: own }),
    connection: () => ({ address: system.name, token: system.token }),
  })
}

/** The provider of one fake system, as one process runs it. */
export function fakeProvider(system: FakeSystem, hold: FakeHold = (result) => result): ProviderDefinition {
  return defineProvider<FakeClient>()({
    group: FAKE_GROUP,
    description: 'Fake systems.',
    shortName: 'fake',
    config: object({ address: optional(string()) }),
    instanceKind: 'Server',
    kinds: [topic, bucket, volume, address, table, ticket, cluster, login, server(system, hold)],
    maxConcurrentCalls: 8,
    connect: ({ credentials }) => new FakeClient({ system, token: credentials['token'], hold }),
    close: async () => undefined,
    check: async (client, { signal }) => await client.check(signal),
    identify: () => system.name,
  })
}
