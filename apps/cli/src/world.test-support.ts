import type { Condition, HttpHandler, Kind, ResourceObject } from '@orrery/api'
import {
  array,
  customResourceDefinitions,
  formatTime,
  leases,
  namespaces,
  object,
  optional,
  secrets,
  silentLogger,
  string,
} from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import { systemClock, systemRandom } from '@orrery/client/node'
import { createAuthenticator, createDefaultAuthorizer, createHub } from '@orrery/hub'
import { openMemoryStore } from '@orrery/hub/store'
import {
  customResourceDefinitionsOf,
  defineKind,
  defineProvider,
  managedKind,
  providerConfigKind,
} from '@orrery/provider'
import { Registry } from 'prom-client'
import { runCli } from './program.ts'
import type { Output, Shell } from './shell.ts'

/** A hub in this process with the kinds of a provider that nothing serves: tests write the statuses themselves. */

const effects = {
  safety: { create: { type: 'name' }, update: { type: 'name' }, delete: { type: 'name' } },
  maxLateExecutionMs: 0,
  observe: async () => ({ state: 'absent' as const }),
  create: async () => ({ state: 'done' as const }),
  update: async () => ({ state: 'done' as const }),
  delete: async () => ({ state: 'done' as const }),
} as const

const named = object({ name: optional(string()) })
const secretRef = optional(object({ name: string() }))
const instance = defineKind<undefined>()({
  kind: 'Instance',
  plural: 'instances',
  description: 'A server.',
  forProvider: object({}),
  atProvider: named,
  dataBearing: true,
  providerConfig: 'none',
  ...effects,
})
const role = defineKind<undefined>()({
  kind: 'Role',
  plural: 'roles',
  shortNames: ['shrole'],
  description: 'A login.',
  forProvider: object({ passwordSecretRef: secretRef }),
  atProvider: named,
  dataBearing: false,
  ...effects,
})
const shelf = defineKind<undefined>()({
  kind: 'Shelf',
  plural: 'shelves',
  shortNames: ['sh'],
  description: 'Holds books.',
  forProvider: object({ owner: optional(string()), size: optional(string()), tags: optional(array(string())) }),
  atProvider: object({ owner: optional(string()), size: optional(string()), tags: optional(array(string())) }),
  dataBearing: true,
  references: { owner: { to: 'Role' } },
  ...effects,
})
const book = defineKind<undefined>()({
  kind: 'Book',
  plural: 'books',
  description: 'Is on a shelf.',
  forProvider: object({ shelf: string() }),
  atProvider: named,
  dataBearing: true,
  references: { shelf: { to: 'Shelf', required: true } },
  ...effects,
})

const provider = defineProvider<unknown>()({
  group: 'library.orrery.dev',
  description: 'A library.',
  shortName: 'lib',
  config: object({ host: optional(string()) }),
  instanceKind: 'Instance',
  kinds: [instance, role, shelf, book],
  maxConcurrentCalls: 4,
  connect: () => undefined,
  close: async () => undefined,
  check: async () => undefined,
  identify: () => 'library',
})

type Plain = ResourceObject

const kindNamed = (name: string): Kind<Plain> => {
  if (name === 'ProviderConfig') return { ...providerConfigKind(provider) }
  const definition = provider.kinds.find(({ kind }) => kind === name)
  if (definition === undefined) throw new Error(`no kind ${name}`)
  return { ...managedKind(provider.group, definition) }
}

/** What a test says of an object. */
export interface Given {
  readonly kind: 'Instance' | 'Role' | 'Shelf' | 'Book' | 'ProviderConfig'
  readonly name: string
  readonly namespace?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  /** For managed kinds: `forProvider` and what else is in the spec. */
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

/** What one command line came to. */
export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface World extends AsyncDisposable {
  readonly client: Client
  run(...args: readonly string[]): Promise<Ran>
  /** Runs with other surroundings, e.g. a terminal. */
  runIn(changes: Partial<Shell> & { readonly isTerminal?: boolean }, ...args: readonly string[]): Promise<Ran>
  put(given: Given): Promise<void>
  delete(given: Pick<Given, 'kind' | 'name'>): Promise<void>
  putSecret(name: string, value: string): Promise<void>
  /** A manager's lease, renewed this long ago. */
  putLease(ageMs: number): Promise<void>
}

/** The namespace that everything is in unless a test says otherwise. */
export const NAMESPACE = 'shop'

/** A condition as the engine writes it. */
export function condition(
  type: 'Ready' | 'Synced' | 'UpToDate',
  status: Condition['status'],
  reason: string,
  message = '',
): Condition {
  return { type, status, reason, message, lastTransitionTime: '2026-01-02T03:04:05Z', observedGeneration: 1 }
}

/** Conditions of an object with which all is well. */
export const allWell = [
  condition('Ready', 'True', 'Available'),
  condition('Synced', 'True', 'ReconcileSuccess'),
  condition('UpToDate', 'True', 'NoDifference'),
]

/** Starts a hub, as the given user. */
export async function createWorld(groups: readonly string[] = ['system:masters']): Promise<World> {
  const shared = { clock: systemClock, random: systemRandom }
  const store = await openMemoryStore(shared)
  const hub = await createHub({
    ...shared,
    store,
    log: silentLogger,
    metrics: new Registry(),
    authenticator: createAuthenticator({ tokens: [] }),
    authorizer: createDefaultAuthorizer(),
  })
  const handlerFor =
    (names: readonly string[]): HttpHandler =>
    async (request) => {
      request.signal.throwIfAborted() // As a connection does.
      return await hub.handle(request, { user: { name: 'tester', groups: [...names] } })
    }
  const clientFor = (names: readonly string[]) =>
    createClient({ ...shared, transport: handlerFor(names), userAgent: 'cli-test/1' })
  const client = clientFor(['system:masters'])
  await installProvider(client)
  const run: World['runIn'] = async ({ isTerminal = false, ...changes }, ...args) => {
    const out = capture(isTerminal)
    const err = capture(isTerminal)
    const shell: Shell = {
      ...shared,
      environment: {},
      directory: '/',
      out,
      err,
      signal: new AbortController().signal,
      program: 'orrery',
      runServer: async () => 0,
      connect: () => ({
        client: clientFor(groups),
        kubeconfigs: [],
        namespace: NAMESPACE,
        clockOffsetMs: () => 0,
        [Symbol.asyncDispose]: async () => undefined,
      }),
      ...changes,
    }
    const code = await runCli(args, shell)
    return { code, out: out.text(), err: err.text() }
  }
  return {
    client,
    runIn: run,
    run: async (...args) => await run({}, ...args),
    put: async (given) => await put(client, given),
    delete: async ({ kind, name }) => await client.delete(kindNamed(kind), { namespace: NAMESPACE, name }),
    putSecret: async (name, value) => {
      const data = { password: Buffer.from(value).toString('base64') }
      await client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, data })
    },
    putLease: async (ageMs) => await putLease(client, ageMs),
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

function capture(isTerminal: boolean): Output & { readonly text: () => string } {
  let text = ''
  return {
    isTerminal,
    ...(isTerminal ? { columns: 100 } : {}),
    text: () => text,
    write: (more) => {
      text += more
    },
  }
}

/** Installs the kinds and makes the namespace, on any server. */
export async function installProvider(client: Client): Promise<void> {
  for (const definition of customResourceDefinitionsOf(provider)) {
    await client.create(customResourceDefinitions, definition)
    const { name } = definition.metadata
    const isServed = async () =>
      (await client.get(customResourceDefinitions, { name })).status?.conditions?.some(
        ({ type, status }) => type === 'Established' && status === 'True',
      ) === true
    // The hub establishes it by itself; each question gives it a turn.
    while (!(await isServed())) await new Promise((resolve) => setImmediate(resolve))
  }
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE }, spec: {} })
}

/** Makes an object and writes its status. */
export async function put(client: Client, given: Given): Promise<void> {
  const kind = kindNamed(given.kind)
  const { name, namespace = NAMESPACE, annotations = {}, finalizers = [], status } = given
  const spec = given.kind === 'ProviderConfig' ? (given.spec ?? {}) : { forProvider: {}, ...given.spec }
  const made = await client.create(kind, {
    apiVersion: `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata: { name, namespace, annotations, finalizers },
    spec,
  })
  if (status !== undefined) await client.updateStatus(kind, { ...made, status })
}

async function putLease(client: Client, ageMs: number): Promise<void> {
  const renewTime = formatTime(systemClock.now() - ageMs).replace('Z', '.000000Z')
  await client.create(leases, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'orrery-manager', namespace: 'orrery-system' },
    spec: { holderIdentity: 'test', leaseDurationSeconds: 15, acquireTime: renewTime, renewTime, leaseTransitions: 0 },
  })
}
