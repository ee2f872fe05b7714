import type { Clock, Kind, KubeObject, Namespace, ResourceInfo } from '@orrery/api'
import { ApiError, formatTime, isConflict, isNotFound, namespaces } from '@orrery/api'
import type { Client, DiscoveredResource, Discovery } from '@orrery/client'
import { discover, kindOf } from '@orrery/client'
import type { ControllerOptions, Outcome } from '../controller.ts'
import { again, done } from '../controller.ts'
import type { NamespaceCondition, Remains } from './namespace-conditions.ts'
import { conditionsOf } from './namespace-conditions.ts'

/** Kinds emptied at the same time. Each is one request to the server. */
const KINDS_AT_ONCE = 8
/** A look at what is left is repeated after this; doubled while nothing goes, up to the second value. */
const LOOK_AGAIN_MS = 100
const LOOK_AGAIN_MAX_MS = 5_000
/** Namespaces whose pace is remembered; a forgotten one starts anew. */
const PACES_MAX = 10_000
/** The finalizer in `spec` that this controller answers for. */
const FINALIZER = 'kubernetes'

/** A namespace with the conditions that tell how its deletion goes. */
export interface TerminatingNamespace extends Namespace {
  readonly status?: { readonly phase?: 'Active' | 'Terminating'; readonly conditions?: readonly NamespaceCondition[] }
}

const terminating: Kind<TerminatingNamespace> = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  namespaced: false,
}

export interface NamespaceControllerOptions {
  readonly clock: Clock
  /**
   * Kinds deleted only after every object of all other kinds is gone or at least marked for deletion: what
   * others need to come apart (credentials, provider configs). They protect themselves by finalizers as long as
   * they are in use, so marking them early enough is safe and waiting for the others to vanish could wait for ever.
   */
  readonly last?: readonly Pick<ResourceInfo, 'group' | 'plural'>[]
}

/**
 * Empties a namespace that is being deleted, kind by kind as discovery lists them at that moment, waits for
 * finalizers, tells in conditions what is left, and lets the namespace go when nothing is.
 */
export function createNamespaceController(options: NamespaceControllerOptions): ControllerOptions<Namespace> {
  const paces = new Map<string, { left: number; delayMs: number }>()
  const paceOf = (name: string, left: number) => {
    const known = paces.get(name)
    const isStuck = known !== undefined && known.left <= left
    const delayMs = isStuck ? Math.min(LOOK_AGAIN_MAX_MS, known.delayMs * 2) : LOOK_AGAIN_MS
    paces.delete(name)
    if (paces.size < PACES_MAX) paces.set(name, { left, delayMs })
    return delayMs
  }
  return {
    name: 'namespace',
    for: namespaces,
    when: (event) => event.current?.metadata.deletionTimestamp !== undefined,
    concurrency: 10,
    deadlineMs: 10 * 60_000,
    reconcile: async ({ key, client, signal }): Promise<Outcome> => {
      const namespace = await client.find(terminating, key, { signal })
      if (namespace?.metadata.deletionTimestamp === undefined || !namespace.spec.finalizers?.includes(FINALIZER)) {
        paces.delete(key.name)
        return done
      }
      const { discovery, remains } = await empty(client, namespace, options, signal)
      const isEmpty = remains.objects.size === 0 && remains.failures.length === 0 && discovery.failures.length === 0
      if (!isEmpty) {
        await report(client, namespace, conditionsOf(discovery, remains), options.clock, signal)
        return again(paceOf(key.name, total(remains)))
      }
      paces.delete(key.name)
      await finalize(client, namespace, signal)
      return done
    },
  }
}

interface Emptied {
  readonly discovery: Discovery
  readonly remains: Remains
}

async function empty(
  client: Client,
  namespace: Namespace,
  options: NamespaceControllerOptions,
  signal: AbortSignal,
): Promise<Emptied> {
  const discovery = await discover(client, { signal })
  const held = discovery.resources.filter(
    (resource) => resource.namespaced && resource.verbs.includes('list') && resource.verbs.includes('delete'),
  )
  const isLast = (resource: DiscoveredResource) =>
    options.last?.some((last) => last.group === resource.group && last.plural === resource.plural) === true
  const remains: Remains = { objects: new Map(), finalizers: new Map(), failures: [] }
  const name = namespace.metadata.name
  const areMarked = await emptyKinds(
    client,
    name,
    held.filter((resource) => !isLast(resource)),
    remains,
    signal,
  )
  const lasts = held.filter(isLast)
  // Unknown kinds may need them, too: where discovery failed, the last ones wait.
  if (areMarked && discovery.failures.length === 0) await emptyKinds(client, name, lasts, remains, signal)
  else await Promise.all(lasts.map((resource) => count(client, name, resource, remains, signal)))
  return { discovery, remains }
}

/** Deletes all objects of these kinds. True when every one that is left is marked for deletion. */
async function emptyKinds(
  client: Client,
  namespace: string,
  resources: readonly DiscoveredResource[],
  remains: Remains,
  signal: AbortSignal,
): Promise<boolean> {
  let areMarked = true
  const waiting = [...resources]
  const work = async () => {
    for (let resource = waiting.pop(); resource !== undefined; resource = waiting.pop()) {
      areMarked = (await emptyKind(client, namespace, resource, remains, signal)) && areMarked
    }
  }
  await Promise.all(Array.from({ length: KINDS_AT_ONCE }, work))
  return areMarked
}

async function emptyKind(
  client: Client,
  namespace: string,
  resource: DiscoveredResource,
  remains: Remains,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const before = await client.listAll(kindOf(resource), { namespace, metadataOnly: true, signal })
    if (before.items.length === 0) return true
    if (before.items.some((object) => object.metadata.deletionTimestamp === undefined)) {
      await deleteAll(client, namespace, resource, before.items, signal)
    }
    return await count(client, namespace, resource, remains, signal)
  } catch (error) {
    signal.throwIfAborted()
    // The kind itself may have gone since discovery: nothing of it is left to wait for.
    if (error instanceof ApiError && error.code === 404 && error.details?.name === undefined) return true
    remains.failures.push(`${resource.plural}: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}

async function deleteAll(
  client: Client,
  namespace: string,
  resource: DiscoveredResource,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const kind = kindOf(resource)
  if (resource.verbs.includes('deletecollection')) {
    return client.deleteCollection(kind, { namespace, propagation: 'Background', signal })
  }
  for (const { metadata } of objects) {
    if (metadata.deletionTimestamp !== undefined) continue
    const key = { namespace, name: metadata.name }
    const uid = metadata.uid === undefined ? {} : { uid: metadata.uid }
    try {
      await client.delete(kind, key, { ...uid, propagation: 'Background', signal })
    } catch (error) {
      // Gone, or another object by now: the next look decides.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
}

/** Adds what is left of a kind to the remains. True when all of it is marked for deletion. */
async function count(
  client: Client,
  namespace: string,
  resource: DiscoveredResource,
  remains: Remains,
  signal: AbortSignal,
): Promise<boolean> {
  const { items } = await client.listAll(kindOf(resource), { namespace, metadataOnly: true, signal })
  if (items.length === 0) return true
  const name = resource.group === '' ? `${resource.plural}.` : `${resource.plural}.${resource.group}`
  remains.objects.set(name, items.length)
  for (const finalizer of items.flatMap((object) => object.metadata.finalizers ?? [])) {
    remains.finalizers.set(finalizer, (remains.finalizers.get(finalizer) ?? 0) + 1)
  }
  return items.every((object) => object.metadata.deletionTimestamp !== undefined)
}

async function report(
  client: Client,
  namespace: TerminatingNamespace,
  wanted: readonly Omit<NamespaceCondition, 'lastTransitionTime'>[],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const current = namespace.status?.conditions ?? []
  const conditions = wanted.map((condition) => {
    const known = current.find((candidate) => candidate.type === condition.type)
    const isSame = known?.status === condition.status
    return { ...condition, lastTransitionTime: isSame ? known.lastTransitionTime : formatTime(clock.now()) }
  })
  const isUnchanged = conditions.every((condition) => {
    const known = current.find((candidate) => candidate.type === condition.type)
    return (
      known?.status === condition.status && known.reason === condition.reason && known.message === condition.message
    )
  })
  if (isUnchanged) return
  const others = current.filter((known) => conditions.every((condition) => condition.type !== known.type))
  const status = { ...namespace.status, conditions: [...others, ...conditions] }
  await client.updateStatus(terminating, { ...namespace, status }, { signal })
}

async function finalize(client: Client, namespace: TerminatingNamespace, signal: AbortSignal): Promise<void> {
  const finalizers = (namespace.spec.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER)
  try {
    await client.update(
      terminating,
      { ...namespace, spec: { ...namespace.spec, finalizers } },
      { subresource: 'finalize', signal },
    )
  } catch (error) {
    if (!isNotFound(error)) throw error // Somebody else finished it.
  }
}

const total = (remains: Remains) => [...remains.objects.values()].reduce((sum, size) => sum + size, 0)
