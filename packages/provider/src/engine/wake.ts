import type { ObjectKey, Secret } from '@orrery/api'
import { keyOf, secrets } from '@orrery/api'
import type { Informer, InformerEvent } from '@orrery/client'
import type { Watch } from '@orrery/runtime'
import type { ProviderConfigObject } from '../kinds.ts'
import type { ManagedObject } from '../managed.ts'
import { FINALIZER } from '../managed.ts'
import { isHeld } from './config.ts'
import type { EngineWorld, KindEntry, ProviderEntry } from './registry.ts'
import { referencedKindId } from './registry.ts'
import type { Use } from './uses.ts'
import { SECRET, USES, useId } from './uses.ts'

/**
 * What wakes a managed object: whatever it may be waiting for. `wait` is an outcome, not a timer, so every
 * way to wait has its event here.
 */
export function wakers(world: EngineWorld, entry: KindEntry): readonly Watch[] {
  return [
    secretWatch(world, entry),
    ...configWatches(world, entry),
    ...referenceWatches(world, entry),
    ...dependentWatches(world, entry),
  ]
}

/** What a ProviderConfig's readiness depends on: its Secret, or its instance and that one's Secret. */
export function configWakers(
  world: EngineWorld,
  provider: ProviderEntry,
  configs: Informer<ProviderConfigObject>,
): readonly Watch[] {
  const instance = world.kinds.get(`${provider.definition.group}/${provider.definition.instanceKind ?? ''}`)
  const usersOf = (kind: string, key: ObjectKey) =>
    configs.byIndex(USES, useId({ kind, namespace: key.namespace ?? '', name: key.name })).map(keyOf)
  const onSecret: Watch = {
    kind: secrets,
    when: ({ type, current, previous }) => type !== 'updated' || !sameEntries(dataOf(current), dataOf(previous)),
    map: ({ key, current, previous }) => {
      const owner = (current ?? previous)?.metadata.ownerReferences?.find((reference) => reference.controller === true)
      const ofInstance =
        owner === undefined || instance === undefined
          ? []
          : usersOf(instance.id, { namespace: key.namespace ?? '', name: owner.name })
      return [...usersOf(SECRET, key), ...ofInstance]
    },
  }
  if (instance === undefined) return [onSecret]
  const onInstance: Watch = {
    kind: instance.kind,
    when: ({ type, current, previous }) => type !== 'updated' || readiness(current) !== readiness(previous),
    map: ({ key }) => usersOf(instance.id, key),
  }
  return [onSecret, onInstance]
}

/** Events of the own kind that ask for a reconcile. Our own writes do not: neither of status nor of the finalizer. */
export function concernsSpec(event: InformerEvent<ManagedObject>): boolean {
  const { type, current, previous } = event
  if (type !== 'updated' || current === undefined || previous === undefined) return true
  const a = current.metadata
  const b = previous.metadata
  const heldNow = a.finalizers?.includes(FINALIZER) === true && b.finalizers?.includes(FINALIZER) !== true
  if (heldNow && a.generation === b.generation && a.deletionTimestamp === b.deletionTimestamp) return false
  return (
    a.uid !== b.uid ||
    a.generation !== b.generation ||
    a.deletionTimestamp !== b.deletionTimestamp ||
    !sameEntries(a.annotations, b.annotations) ||
    a.finalizers?.join() !== b.finalizers?.join()
  )
}

const users = (entry: KindEntry, use: Use): readonly ObjectKey[] => entry.informer.byIndex(USES, useId(use)).map(keyOf)

function secretWatch(world: EngineWorld, entry: KindEntry): Watch {
  return {
    kind: secrets,
    when: ({ type, current, previous }) =>
      type !== 'updated' || !sameEntries(dataOf(current), dataOf(previous)) || heldChanged(current, previous),
    map: ({ key, current, previous }) => {
      const secret = current ?? previous
      if (secret === undefined) return []
      const use: Use = { kind: SECRET, namespace: key.namespace ?? '', name: key.name }
      return [...users(entry, use), ...usersOfConfigsWith(entry, use), ...ownerAndFriends(world, entry, secret)]
    },
  }
}

const dataOf = (secret: unknown): Readonly<Record<string, string>> | undefined =>
  isSecret(secret) ? secret.data : undefined
const isSecret = (value: unknown): value is Secret =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Secret'

function usersOfConfigsWith(entry: KindEntry, use: Use): readonly ObjectKey[] {
  const { configs, clusterConfigs } = entry.provider
  return [...configs.byIndex(USES, useId(use)), ...clusterConfigs.byIndex(USES, useId(use))].flatMap((config) =>
    usersOfConfig(entry, config),
  )
}

function usersOfConfig(entry: KindEntry, config: ProviderConfigObject): readonly ObjectKey[] {
  return users(entry, {
    kind: `${entry.kind.group}/${config.kind}`,
    namespace: config.metadata.namespace ?? '',
    name: config.metadata.name,
  })
}

// A Secret of ours that was edited or removed; and those whose connection is made of another object's login.
function ownerAndFriends(
  world: EngineWorld,
  entry: KindEntry,
  secret: { readonly metadata: ManagedObject['metadata'] },
): readonly ObjectKey[] {
  const owner = secret.metadata.ownerReferences?.find((reference) => reference.controller === true)
  if (owner === undefined) return []
  const namespace = secret.metadata.namespace ?? ''
  const group = owner.apiVersion.split('/')[0] ?? ''
  const id = `${group}/${owner.kind}`
  if (!world.kinds.has(id)) return []
  const own = id === entry.id ? [{ namespace, name: owner.name }] : []
  return [...own, ...users(entry, { kind: id, namespace, name: owner.name })]
}

function configWatches(world: EngineWorld, entry: KindEntry): readonly Watch[] {
  if (entry.definition.providerConfig === 'none') return []
  const { provider } = entry
  const onConfig = (kind: Watch['kind']): Watch => ({
    kind,
    when: ({ type, current, previous }) =>
      type !== 'updated' ||
      current?.metadata.generation !== previous?.metadata.generation ||
      readiness(current) !== readiness(previous) ||
      heldChanged(current, previous),
    map: ({ current, previous }) => {
      const config = current ?? previous
      if (config === undefined) return []
      return users(entry, {
        kind: `${entry.kind.group}/${config.kind}`,
        namespace: config.metadata.namespace ?? '',
        name: config.metadata.name,
      })
    },
  })
  const instance = world.kinds.get(`${entry.kind.group}/${provider.definition.instanceKind ?? ''}`)
  const onInstance: Watch[] =
    instance === undefined || instance.id === entry.id
      ? []
      : [
          {
            kind: instance.kind,
            when: ({ type, current, previous }) =>
              type !== 'updated' || readiness(current) !== readiness(previous) || heldChanged(current, previous),
            map: ({ key }) =>
              usersOfConfigsWith(entry, { kind: instance.id, namespace: key.namespace ?? '', name: key.name }),
          },
        ]
  return [onConfig(provider.config), onConfig(provider.clusterConfig), ...onInstance]
}

function referenceWatches(world: EngineWorld, entry: KindEntry): readonly Watch[] {
  const targets = new Set(
    Object.values(entry.definition.references ?? {}).map((reference) => referencedKindId(entry, reference.to)),
  )
  return [...targets].flatMap((id) => {
    const target = world.kinds.get(id)
    if (target === undefined) return []
    return [
      {
        kind: target.kind,
        when: (event: Parameters<NonNullable<Watch['when']>>[0]) =>
          event.type !== 'updated' || bearsOnUsers(event.current, event.previous),
        map: ({ key }: { readonly key: ObjectKey }) => [
          ...users(entry, { kind: id, namespace: key.namespace ?? '', name: key.name }),
          ...users(entry, { kind: id, namespace: key.namespace ?? '' }),
        ],
      },
    ]
  })
}

// What refers to an object and goes first wakes it when it is gone.
function dependentWatches(world: EngineWorld, entry: KindEntry): readonly Watch[] {
  return [...world.kinds.values()]
    .filter((other) =>
      Object.values(other.definition.references ?? {}).some(
        (reference) => referencedKindId(other, reference.to) === entry.id,
      ),
    )
    .map((other) => ({
      kind: other.kind,
      when: ({ type }) => type === 'deleted',
      map: ({ previous }) => {
        if (previous === undefined) return []
        return entry.informer
          .list(previous.metadata.namespace)
          .filter((object) => object.metadata.deletionTimestamp !== undefined)
          .map(keyOf)
      },
    }))
}

function bearsOnUsers(current: unknown, previous: unknown): boolean {
  if (!isManaged(current) || !isManaged(previous)) return true
  return (
    current.status?.external?.name !== previous.status?.external?.name ||
    current.status?.external?.since !== previous.status?.external?.since ||
    readiness(current) !== readiness(previous) ||
    !sameEntries(current.status?.credentialHashes, previous.status?.credentialHashes) ||
    !sameEntries(current.metadata.labels, previous.metadata.labels) ||
    JSON.stringify(current.status?.atProvider) !== JSON.stringify(previous.status?.atProvider)
  )
}

function isManaged(value: unknown): value is ManagedObject {
  return typeof value === 'object' && value !== null && 'metadata' in value
}

function readiness(object: unknown): string | undefined {
  return isManaged(object)
    ? object.status?.conditions?.find((condition) => condition.type === 'Ready')?.status
    : undefined
}

function heldChanged(
  current: { readonly metadata: ManagedObject['metadata'] } | undefined,
  previous: typeof current,
): boolean {
  return current === undefined || previous === undefined || isHeld(current) !== isHeld(previous)
}

function sameEntries(
  a: Readonly<Record<string, string>> | undefined,
  b: Readonly<Record<string, string>> | undefined,
): boolean {
  if (a === b) return true
  const left = Object.entries(a ?? {})
  return left.length === Object.keys(b ?? {}).length && left.every(([key, value]) => b?.[key] === value)
}
