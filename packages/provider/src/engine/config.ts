import type { Secret } from '@orrery/api'
import { isTrue } from '@orrery/api'
import type { ProviderConfigObject } from '../kinds.ts'
import type { ManagedObject } from '../managed.ts'
import { IN_USE_FINALIZER } from '../managed.ts'
import { decode } from './credentials.ts'
import type { Connection } from './pool.ts'
import type { EngineWorld, KindEntry, ProviderEntry } from './registry.ts'
import { kindId } from './registry.ts'

/** How an object reaches its system. Read from informers; opens nothing by itself. */
export type Access =
  | {
      readonly state: 'ready'
      readonly connection: Connection | undefined
      /** The config, its credentials and its instance cannot vanish under this object. */
      readonly held: boolean
    }
  | { readonly state: 'waiting'; readonly message: string }
  /** The config itself is wrong; only a change of it helps. */
  | { readonly state: 'invalid'; readonly message: string }

/** What a ProviderConfig leads to. */
export type ConfigTarget =
  | {
      readonly state: 'ready'
      readonly config: unknown
      readonly credentials: Readonly<Record<string, string>>
      readonly held: boolean
    }
  | { readonly state: 'waiting'; readonly message: string }

export function resolveAccess(world: EngineWorld, entry: KindEntry, object: ManagedObject): Access {
  if (entry.definition.providerConfig === 'none') return { state: 'ready', connection: undefined, held: true }
  const ref = object.spec.providerConfigRef ?? { name: 'default' }
  const namespace = object.metadata.namespace ?? ''
  const found = findConfig(entry.provider, { namespace, name: ref.name, cluster: ref.kind === 'ClusterProviderConfig' })
  if (found === undefined)
    return { state: 'waiting', message: `${ref.kind ?? 'ProviderConfig'} ${ref.name} does not exist.` }
  if (ref.kind === 'ClusterProviderConfig' && !isAllowed(found, namespace)) {
    return {
      state: 'waiting',
      message: `ClusterProviderConfig ${ref.name} does not allow namespace ${namespace}; see its spec.allowedNamespaces.`,
    }
  }
  const target = resolveConfig(world, entry.provider, found)
  if (target.state === 'waiting') return target
  try {
    const connection = entry.provider.pool.get(found.metadata.uid ?? '', target)
    return { state: 'ready', connection, held: target.held && isHeld(found) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { state: 'invalid', message: `ProviderConfig ${ref.name} cannot be used: ${detail}` }
  }
}

/** Address and credentials of a ProviderConfig, its own or those of the instance it names. */
export function resolveConfig(world: EngineWorld, provider: ProviderEntry, config: ProviderConfigObject): ConfigTarget {
  const { instanceRef, credentialsSecretRef, allowedNamespaces: _allowed, ...own } = config.spec
  if (instanceRef !== undefined) return resolveInstance(world, provider, config, instanceRef.name)
  if (credentialsSecretRef === undefined) return { state: 'ready', config: own, credentials: {}, held: true }
  const namespace = config.metadata.namespace ?? credentialsSecretRef.namespace ?? ''
  const secret = world.secrets.get({ namespace, name: credentialsSecretRef.name })
  if (secret === undefined)
    return {
      state: 'waiting',
      message: `Secret ${credentialsSecretRef.name} of ${config.kind} ${config.metadata.name} does not exist.`,
    }
  return { state: 'ready', config: own, credentials: values(secret), held: isHeld(secret) }
}

function resolveInstance(
  world: EngineWorld,
  provider: ProviderEntry,
  config: ProviderConfigObject,
  name: string,
): ConfigTarget {
  const kind = provider.definition.instanceKind ?? ''
  const namespace = config.metadata.namespace ?? ''
  const instance = world.kinds.get(kindId(provider.definition.group, kind))?.informer.get({ namespace, name })
  if (instance === undefined) return { state: 'waiting', message: `${kind} ${name} does not exist.` }
  if (!isTrue(instance.status?.conditions, 'Ready'))
    return { state: 'waiting', message: `${kind} ${name} is not ready.` }
  const secretName = instance.spec.writeConnectionSecretToRef?.name
  if (secretName === undefined)
    return {
      state: 'waiting',
      message: `${kind} ${name} needs spec.writeConnectionSecretToRef to be used by a ProviderConfig.`,
    }
  const secret = world.secrets.get({ namespace, name: secretName })
  if (secret === undefined)
    return { state: 'waiting', message: `Secret ${secretName} of ${kind} ${name} does not exist yet.` }
  const credentials = values(secret)
  const { instanceRef: _instanceRef, credentialsSecretRef: _secretRef, ...own } = config.spec
  return { state: 'ready', config: own, credentials, held: isHeld(instance) && carriesFinalizer(secret) }
}

export function findConfig(
  provider: ProviderEntry,
  ref: { readonly namespace: string; readonly name: string; readonly cluster: boolean },
): ProviderConfigObject | undefined {
  return ref.cluster
    ? provider.clusterConfigs.get({ name: ref.name })
    : provider.configs.get({ namespace: ref.namespace, name: ref.name })
}

// The Secret of an instance stays as long as the instance does, even when somebody asked for its deletion.
function carriesFinalizer(object: { readonly metadata: ManagedObject['metadata'] }): boolean {
  return object.metadata.finalizers?.includes(IN_USE_FINALIZER) === true
}

/** What is being deleted is no base for something new, even while it is still held for others. */
export function isHeld(object: { readonly metadata: ManagedObject['metadata'] }): boolean {
  return object.metadata.deletionTimestamp === undefined && carriesFinalizer(object)
}

function isAllowed(config: ProviderConfigObject, namespace: string): boolean {
  return config.spec.allowedNamespaces?.some((allowed) => allowed === '*' || allowed === namespace) === true
}

function values(secret: Secret): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, decode(value)]))
}
