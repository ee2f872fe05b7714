import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Condition, Kind, KubeObject, Logger, Secret } from '@orrery/api'
import { isNotFound, namespaces, secrets, silentLogger } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import { createAuthenticator, createDefaultAuthorizer, createHub } from '@orrery/hub'
import { openMemoryStore } from '@orrery/hub/store'
import type { ManagedObject } from '@orrery/provider'
import {
  createEngine,
  ensureHashKey,
  ensureNamespace,
  hubIdentity,
  installDefinitions,
  managedKind,
  providerConfigKind,
} from '@orrery/provider'
import type { LocalServers } from '@orrery/provider-postgresql'
import { chooseFreePort, createLocalServers, postgresql } from '@orrery/provider-postgresql'
import { addGarbageCollector, createEventRecorder, createManager, createNamespaceController } from '@orrery/runtime'
import { Registry } from 'prom-client'
import type { PostgresServer } from './server.ts'

const SYSTEM_NAMESPACE = 'orrery-system'
const NAMESPACE = 'test'
const DEADLINE_MS = 30_000
const LOOK_MS = 20
const GROUP = 'postgresql.orrery.dev'

export type KindName = 'Instance' | 'Database' | 'Role' | 'Grant' | 'Schema' | 'Extension'

/** What a test says about a managed object; `spec` is everything beside `forProvider`. */
export interface Wanted {
  readonly name: string
  readonly forProvider?: Readonly<Record<string, unknown>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface WorldOptions {
  /** An API server instead of a hub in this process, e.g. a real Kubernetes. */
  readonly kubeconfig?: string
  /** How long an attempt licenses its call. Default 1 s, so that settling does not take long. */
  readonly sendWindowMs?: number
  readonly log?: Logger
}

/** An API server and the engine with the PostgreSQL provider, in this process, on the system's clock. */
export interface ManagedWorld extends AsyncDisposable {
  readonly client: Client
  readonly namespace: string
  /** Servers of Instance objects. */
  readonly servers: LocalServers
  /** Makes a ProviderConfig, with its Secret, that leads to a server. */
  configure(
    name: string,
    server: Pick<PostgresServer, 'host' | 'port' | 'username' | 'password'>,
    spec?: Readonly<Record<string, unknown>>,
  ): Promise<void>
  kind(name: KindName): Kind<ManagedObject>
  /** Server-side apply: creates, or changes to exactly this. */
  apply(kind: KindName, wanted: Wanted): Promise<ManagedObject>
  get(kind: KindName, name: string): Promise<ManagedObject>
  delete(kind: KindName, name: string): Promise<void>
  /** Has it looked at now, as a poll would. */
  nudge(kind: KindName, name: string): Promise<void>
  annotate(kind: KindName, name: string, annotations: Readonly<Record<string, string | null>>): Promise<void>
  /** Waits until the object is as described; rejects with its last state. */
  until(kind: KindName, name: string, is: (object: ManagedObject) => boolean): Promise<ManagedObject>
  /** Waits until it is Ready, Synced and UpToDate at its current generation. */
  ready(kind: KindName, name: string): Promise<ManagedObject>
  gone(kind: KindName, name: string): Promise<void>
  /** Values of a Secret, decoded; undefined when there is none. */
  secret(name: string): Promise<Readonly<Record<string, string>> | undefined>
  putSecret(name: string, values: Readonly<Record<string, string>>): Promise<void>
  /** Ends the manager as a crash would, or cleanly, and starts another one. */
  restartManager(): Promise<void>
  stopManager(): Promise<void>
  startManager(): Promise<void>
}

export function conditionOf(object: ManagedObject, type: string): Condition | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type)
}

/** Ready, Synced and UpToDate, all of them judged at the current generation. */
export function isSettled(object: ManagedObject): boolean {
  const { generation, deletionTimestamp } = object.metadata
  if (deletionTimestamp !== undefined || object.status?.syncedGeneration !== generation) return false
  return ['Ready', 'Synced', 'UpToDate'].every((type) => {
    const condition = conditionOf(object, type)
    return condition?.status === 'True' && condition.observedGeneration === generation
  })
}

/** Repeats an assertion until it holds; fails with what it last said. */
export async function eventually(
  assertion: () => Promise<void>,
  { withinMs = DEADLINE_MS }: { readonly withinMs?: number } = {},
): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    try {
      await assertion()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(LOOK_MS)
    }
  }
}

export async function startWorld(options: WorldOptions = {}): Promise<ManagedWorld> {
  const stack = new AsyncDisposableStack()
  try {
    const client =
      options.kubeconfig === undefined ? await hubClient(stack, options) : kubeClient(stack, options.kubeconfig)
    const root = await mkdtemp(join(tmpdir(), 'orrery servers-'))
    stack.defer(async () => await rm(root, { recursive: true, force: true, maxRetries: 5 }))
    // Servers run as another user when the tests run as root.
    await chmod(root, 0o755)
    const servers = await createLocalServers({ root })
    stack.defer(async () => await servers.stopAll(AbortSignal.timeout(DEADLINE_MS)))
    await ensureNamespace(NAMESPACE, { client, clock: systemClock, signal: AbortSignal.timeout(DEADLINE_MS) })
    const world = new World({ client, servers, options, stack })
    await world.startManager()
    return world
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function hubClient(stack: AsyncDisposableStack, options: WorldOptions): Promise<Client> {
  const store = stack.use(await openMemoryStore({ random: systemRandom }))
  const hub = stack.use(
    await createHub({
      store,
      clock: systemClock,
      random: systemRandom,
      log: options.log ?? silentLogger,
      metrics: new Registry(),
      authenticator: createAuthenticator(),
      authorizer: createDefaultAuthorizer(),
    }),
  )
  const user = { name: 'admin', groups: ['system:masters'] }
  return createClient({
    transport: async (request) => await hub.handle(request, { user }),
    clock: systemClock,
    random: systemRandom,
    userAgent: 'test',
  })
}

function kubeClient(stack: AsyncDisposableStack, kubeconfig: string): Client {
  const transport = stack.use(createNodeTransport(loadKubeconfig({ paths: [kubeconfig] }), { clock: systemClock }))
  return createClient({ transport: transport.handle, clock: systemClock, random: systemRandom, userAgent: 'test' })
}

interface Parts {
  readonly client: Client
  readonly servers: LocalServers
  readonly options: WorldOptions
  readonly stack: AsyncDisposableStack
}

class World implements ManagedWorld {
  readonly client: Client
  readonly namespace = NAMESPACE
  readonly servers: LocalServers
  readonly #parts: Parts
  readonly #kinds: ReadonlyMap<string, Kind<ManagedObject>>
  readonly #provider: ReturnType<typeof postgresql>
  #manager: { readonly stop: AbortController; readonly running: Promise<void> } | undefined

  constructor(parts: Parts) {
    this.client = parts.client
    this.servers = parts.servers
    this.#parts = parts
    this.#provider = postgresql({ servers: parts.servers, choosePort: chooseFreePort })
    this.#kinds = new Map(this.#provider.kinds.map((kind) => [kind.kind, managedKind(GROUP, kind)]))
  }

  async startManager(): Promise<void> {
    const { client, options } = this.#parts
    const log = options.log ?? silentLogger
    const signal = AbortSignal.timeout(DEADLINE_MS)
    await ensureNamespace(SYSTEM_NAMESPACE, { client, clock: systemClock, signal })
    await installDefinitions([this.#provider], { client, clock: systemClock, signal })
    const shared = { client, clock: systemClock, random: systemRandom, log }
    const events = createEventRecorder({ ...shared, component: 'test', identity: 'test' })
    const manager = createManager({ ...shared, metrics: new Registry(), identity: systemRandom.uuid() })
    const engine = createEngine({
      ...shared,
      manager,
      events,
      metrics: { externalCall: () => undefined },
      hub: await hubIdentity({ client, signal }),
      systemNamespace: SYSTEM_NAMESPACE,
      hashKey: await ensureHashKey({ client, random: systemRandom, namespace: SYSTEM_NAMESPACE }),
      timing: { sendWindowMs: options.sendWindowMs ?? 1_000 },
    })
    engine.register([this.#provider])
    if (options.kubeconfig === undefined) {
      manager.add(createNamespaceController({ clock: systemClock }))
      addGarbageCollector({ manager, events, log })
    }
    const stop = new AbortController()
    const run = async () => {
      await using parts = new AsyncDisposableStack()
      parts.use(events)
      parts.use(engine)
      await manager.run(stop.signal)
    }
    this.#manager = { stop, running: run() }
  }

  async stopManager(): Promise<void> {
    this.#manager?.stop.abort(new Error('the test ends it'))
    await this.#manager?.running
    this.#manager = undefined
  }

  async restartManager(): Promise<void> {
    await this.stopManager()
    await this.startManager()
  }

  async configure(
    name: string,
    server: Pick<PostgresServer, 'host' | 'port' | 'username' | 'password'>,
    spec: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    await this.putSecret(`${name}-login`, {
      host: server.host,
      port: String(server.port),
      username: server.username,
      password: server.password,
    })
    const kind = providerConfigKind(this.#provider)
    const metadata = { name, namespace: NAMESPACE }
    const config = {
      apiVersion: `${GROUP}/v1alpha1`,
      kind: 'ProviderConfig',
      metadata,
      spec: { credentialsSecretRef: { name: `${name}-login` }, ...spec },
    }
    await this.client.apply(kind, config, { fieldManager: 'test', force: true })
  }

  async putSecret(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    )
    const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, data }
    await this.client.apply(secrets, secret, { fieldManager: 'test', force: true })
  }

  async apply(kind: KindName, wanted: Wanted): Promise<ManagedObject> {
    const { name, forProvider = {}, spec = {}, annotations } = wanted
    const object: KubeObject & { readonly spec: unknown } = {
      apiVersion: `${GROUP}/v1alpha1`,
      kind,
      metadata: { name, namespace: NAMESPACE, ...(annotations === undefined ? {} : { annotations }) },
      spec: {
        ...(kind === 'Instance' ? {} : { providerConfigRef: { name: 'pg' } }),
        forProvider,
        ...spec,
      },
    }
    return await this.client.apply(this.kind(kind), object as ManagedObject, { fieldManager: 'test', force: true })
  }

  async get(kind: KindName, name: string): Promise<ManagedObject> {
    return await this.client.get(this.kind(kind), { namespace: NAMESPACE, name })
  }

  async delete(kind: KindName, name: string): Promise<void> {
    await this.client.delete(this.kind(kind), { namespace: NAMESPACE, name })
  }

  async nudge(kind: KindName, name: string): Promise<void> {
    await this.annotate(kind, name, { 'orrery.dev/reconcile-at': systemRandom.uuid() })
  }

  async annotate(kind: KindName, name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const body = { metadata: { annotations } }
    await this.client.patch(this.kind(kind), { namespace: NAMESPACE, name }, { type: 'merge', body })
  }

  async until(kind: KindName, name: string, is: (object: ManagedObject) => boolean): Promise<ManagedObject> {
    const deadline = Date.now() + DEADLINE_MS
    for (;;) {
      const object = await this.get(kind, name)
      if (is(object)) return object
      if (Date.now() > deadline) {
        const { spec, status, metadata } = object
        const { managedFields: _fields, ...rest } = metadata
        throw new Error(`${kind} ${name} stays ${JSON.stringify({ metadata: rest, spec, status }, undefined, 1)}`)
      }
      await delay(LOOK_MS)
    }
  }

  async ready(kind: KindName, name: string): Promise<ManagedObject> {
    return await this.until(kind, name, isSettled)
  }

  async gone(kind: KindName, name: string): Promise<void> {
    try {
      await this.until(kind, name, () => false)
    } catch (error) {
      if (!isNotFound(error)) throw error // Not there any more is what is waited for.
    }
  }

  async secret(name: string): Promise<Readonly<Record<string, string>> | undefined> {
    const found = await this.client.find(secrets, { namespace: NAMESPACE, name })
    if (found === undefined) return undefined
    const entries = Object.entries(found.data ?? {})
    return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopManager()
    if (this.#parts.options.kubeconfig !== undefined) await this.client.delete(namespaces, { name: NAMESPACE })
    await this.#parts.stack.disposeAsync()
  }

  kind(name: KindName): Kind<ManagedObject> {
    const kind = this.#kinds.get(name)
    if (kind === undefined) throw new Error(`There is no kind ${name}.`)
    return kind
  }
}
