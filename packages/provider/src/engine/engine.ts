import type { Clock, Kind, KubeObject, Logger, Random } from '@orrery/api'
import { configMaps, isTrue, secrets } from '@orrery/api'
import type { Client, Informer } from '@orrery/client'
import type { Controller, ControllerOptions, Manager, Outcome, ReconcileContext } from '@orrery/runtime'
import { done } from '@orrery/runtime'
import { definitionController } from '../install.ts'
import type { KindDefinition } from '../kind.ts'
import type { ProviderConfigObject } from '../kinds.ts'
import { clusterProviderConfigKind, managedKind, providerConfigKind } from '../kinds.ts'
import type { ManagedObject } from '../managed.ts'
import type { ProviderDefinition } from '../provider.ts'
import { claimController } from './claims.ts'
import { configController } from './config-controller.ts'
import { ConnectionPool } from './pool.ts'
import type { ProtectionOptions, User } from './protection.ts'
import { protectionController, usageWatch } from './protection.ts'
import { reconcileManaged } from './reconcile.ts'
import type { EngineMetrics, EngineTiming, EngineWorld, EventSink, KindEntry, ProviderEntry } from './registry.ts'
import { DEFAULT_TIMING, isInstance, KindMemory, kindId } from './registry.ts'
import { Session } from './session.ts'
import { SECRET, USES, useId, usesOfConfig, usesOfObject } from './uses.ts'
import { concernsSpec, wakers } from './wake.ts'

export interface EngineOptions {
  readonly manager: Manager
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly events: EventSink
  readonly metrics: EngineMetrics
  /** uid of the API server's `kube-system` namespace. */
  readonly hub: string
  readonly systemNamespace: string
  /** From `ensureHashKey`. */
  readonly hashKey: Uint8Array
  readonly timing?: Partial<EngineTiming>
  /** Objects of one kind in work at the same time. Default 32. */
  readonly concurrency?: number
}

/** The engine of all managed resources of one manager. */
export interface Engine extends AsyncDisposable {
  /** Serves providers. Their CustomResourceDefinitions must be installed. Those that refer to each other come together. */
  register(providers: readonly ProviderDefinition[]): void
}

const DEFAULT_CONCURRENCY = 32
/** Longer than any sequence of calls that one reconcile may make; after it the reconcile's signal aborts. */
const RECONCILE_DEADLINE_MS = 600_000

export function createEngine(options: EngineOptions): Engine {
  const kinds = new Map<string, KindEntry>()
  const providers: ProviderEntry[] = []
  const configControllers = new Map<string, Controller>()
  const secretInformer = options.manager.informers.informer(secrets)
  const world: EngineWorld = {
    client: options.client,
    clock: options.clock,
    random: options.random,
    log: options.log,
    events: options.events,
    metrics: options.metrics,
    leadership: options.manager.leadership,
    hub: options.hub,
    systemNamespace: options.systemNamespace,
    hashKey: options.hashKey,
    secrets: secretInformer,
    kinds,
    timing: { ...DEFAULT_TIMING, ...options.timing },
    suspect: (entry, object) => {
      const ref = object.spec.providerConfigRef ?? { name: 'default' }
      const cluster = ref.kind === 'ClusterProviderConfig'
      const key = cluster ? { name: ref.name } : { namespace: object.metadata.namespace ?? '', name: ref.name }
      const { clusterConfigs, configs } = entry.provider
      const known = cluster ? clusterConfigs.get(key) : configs.get(key)
      // One that is known to be away is being looked after already.
      if (!isTrue(known?.status?.conditions, 'Ready')) return
      configControllers.get(kindId(entry.kind.group, ref.kind ?? 'ProviderConfig'))?.enqueue(key, 'change')
    },
  }
  return {
    register(definitions) {
      const added = definitions.map((definition) => addProvider(options, definition))
      providers.push(...added)
      const entries = added.flatMap((provider) =>
        provider.definition.kinds.map((kind) => addKind(options, provider, kind)),
      )
      for (const entry of entries) kinds.set(entry.id, entry)
      for (const entry of entries) options.manager.add(managedController(world, entry, options))
      const protections = protectionsOf({ world, providers, kinds, added, first: providers.length === added.length })
      for (const protection of protections) options.manager.add(protection)
      if (providers.length === added.length) {
        const claims = options.manager.informers.informer(configMaps, {}, { metadataOnly: true })
        options.manager.add(claimController(world, claims))
      }
      for (const provider of added) {
        options.manager.add(definitionController(provider.definition, options))
        const own = { kind: provider.config, informer: provider.configs }
        const cluster = { kind: provider.clusterConfig, informer: provider.clusterConfigs }
        for (const configs of [own, cluster]) {
          const controller = options.manager.add(configController(world, provider, configs))
          configControllers.set(kindId(configs.kind.group, configs.kind.kind), controller)
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(providers.map((provider) => provider.pool[Symbol.asyncDispose]()))
    },
  }
}

function addProvider(options: EngineOptions, definition: ProviderDefinition): ProviderEntry {
  const config = providerConfigKind(definition)
  const clusterConfig = clusterProviderConfigKind(definition)
  const indexes = { [USES]: (object: ProviderConfigObject) => usesOfConfig({ definition }, object).map(useId) }
  const pool = new ConnectionPool({ provider: definition, clock: options.clock, random: options.random })
  const configs = options.manager.informers.informer(config, indexes)
  const clusterConfigs = options.manager.informers.informer(clusterConfig, indexes)
  for (const informer of [configs, clusterConfigs]) {
    informer.listen(({ type, previous }) => {
      if (type === 'deleted' && previous?.metadata.uid !== undefined) pool.drop(previous.metadata.uid)
    })
  }
  return { definition, config, clusterConfig, configs, clusterConfigs, pool }
}

function addKind(options: EngineOptions, provider: ProviderEntry, definition: KindDefinition): KindEntry {
  const kind = managedKind(provider.definition.group, definition)
  const base = { id: kindId(kind.group, kind.kind), definition, kind, provider }
  const memory = new KindMemory()
  const informer = options.manager.informers.informer(kind, {
    [USES]: (object) => usesOfObject(base, object).map(useId),
  })
  informer.listen((event) => memory.saw(event))
  return { ...base, informer, memory }
}

function managedController(world: EngineWorld, entry: KindEntry, options: EngineOptions): ControllerOptions {
  return {
    name: `${entry.kind.plural}.${entry.kind.group}`,
    for: entry.kind,
    when: concernsSpec,
    watches: wakers(world, entry),
    concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
    deadlineMs: RECONCILE_DEADLINE_MS,
    reconcile: async (context) => await reconcileKey(world, entry, context),
  }
}

async function reconcileKey(world: EngineWorld, entry: KindEntry, context: ReconcileContext): Promise<Outcome> {
  const object = entry.memory.newest(entry.informer, context.key)
  if (object === undefined) {
    entry.memory.forget(context.key)
    return done
  }
  const session = new Session({ world, entry, object, signal: context.signal })
  return await reconcileManaged(session, context.priority)
}

interface ProtectionScope {
  readonly world: EngineWorld
  readonly providers: readonly ProviderEntry[]
  readonly kinds: ReadonlyMap<string, KindEntry>
  readonly added: readonly ProviderEntry[]
  /** Secrets are protected by one controller, whatever provider came first. */
  readonly first: boolean
}

function protectionsOf(scope: ProtectionScope): readonly ControllerOptions[] {
  const users = () => [...scope.providers.flatMap(configUsers), ...[...scope.kinds.values()].map(objectUser)]
  const targets = scope.added.flatMap((provider) => [
    target(provider.config, provider.configs),
    target(provider.clusterConfig, provider.clusterConfigs),
    ...[...scope.kinds.values()]
      .filter((entry) => entry.provider === provider && isInstance(entry))
      .map((entry) => target(entry.kind, entry.informer)),
  ])
  if (scope.first) targets.push({ name: 'secrets.in-use', id: SECRET, kind: secrets, informer: scope.world.secrets })
  return targets.map((each) => {
    const options: ProtectionOptions = { ...each, users }
    return { ...protectionController(options), watches: users().map((user) => usageWatch(options, user)) }
  })
}

function configUsers(provider: ProviderEntry): readonly User[] {
  const usesOf = (config: ProviderConfigObject) => usesOfConfig(provider, config)
  const own: User<ProviderConfigObject> = { kind: provider.config, informer: provider.configs, usesOf }
  const cluster: User<ProviderConfigObject> = {
    kind: provider.clusterConfig,
    informer: provider.clusterConfigs,
    usesOf,
  }
  return [own, cluster]
}

function objectUser(entry: KindEntry): User {
  const user: User<ManagedObject> = {
    kind: entry.kind,
    informer: entry.informer,
    usesOf: (object) => usesOfObject(entry, object),
  }
  return user
}

function target(kind: Kind, informer: Informer<KubeObject>): Omit<ProtectionOptions, 'users'> {
  return { name: `${kind.plural}.${kind.group}.in-use`, id: kindId(kind.group, kind.kind), kind, informer }
}
