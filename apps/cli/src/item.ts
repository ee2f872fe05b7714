import type { Condition, KubeObject, ObjectKey } from '@orrery/api'
import { keyOf } from '@orrery/api'
import type { DiscoveredResource } from '@orrery/client'
import type { DriftEntry } from '@orrery/provider'
import type { Fields } from './fields.ts'
import { fieldsOf, listOf, numberOf, textOf, timeOf } from './fields.ts'

/** One object of a server, read once into what the commands ask about. */
export interface Item {
  readonly resource: DiscoveredResource
  readonly key: ObjectKey
  readonly uid: string
  readonly generation: number
  readonly createdMs: number | undefined
  /** Since when it is being deleted. */
  readonly deletingSinceMs: number | undefined
  readonly finalizers: readonly string[]
  readonly annotations: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly owners: readonly string[]
  /** Last write of the spec by somebody who is not a controller. */
  readonly lastChange: { readonly timeMs: number; readonly by: string } | undefined
  readonly spec: Fields
  readonly status: Fields
  readonly conditions: readonly Condition[]
  readonly drift: readonly DriftEntry[]
  /** What is pending, and why it waits. */
  readonly plan: { readonly action: string; readonly reason: string; readonly message: string } | undefined
  readonly attempt: { readonly id: string; readonly effect: string } | undefined
  readonly external: { readonly name: string; readonly id?: string; readonly ownership: string } | undefined
}

/** Reads an object; whatever is not as expected counts as absent. */
export function readItem(resource: DiscoveredResource, object: KubeObject): Item {
  const { metadata } = object
  const spec = fieldsOf('spec' in object ? object.spec : undefined)
  const status = fieldsOf('status' in object ? object.status : undefined)
  return {
    resource,
    key: keyOf(object),
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    createdMs: timeOf(metadata.creationTimestamp),
    deletingSinceMs: timeOf(metadata.deletionTimestamp),
    finalizers: metadata.finalizers ?? [],
    annotations: metadata.annotations ?? {},
    labels: metadata.labels ?? {},
    owners: (metadata.ownerReferences ?? []).map(({ uid }) => uid),
    lastChange: lastChangeOf(object),
    spec,
    status,
    conditions: listOf(status['conditions']).flatMap(conditionOf),
    drift: listOf(status['drift']).flatMap(driftOf),
    plan: planOf(fieldsOf(status['plan'])),
    attempt: attemptOf(fieldsOf(status['attempt'])),
    external: externalOf(fieldsOf(status['external'])),
  }
}

/** Field managers whose writes are the controllers' own. */
const CONTROLLERS = new Set(['orrery-engine', 'orrery-manager'])

function lastChangeOf({ metadata }: KubeObject): Item['lastChange'] {
  let last: Item['lastChange']
  for (const { manager, time, subresource, fieldsV1 } of metadata.managedFields ?? []) {
    const timeMs = timeOf(time)
    const isSpec = (subresource ?? '') === '' && Object.hasOwn(fieldsOf(fieldsV1), 'f:spec')
    if (timeMs === undefined || !isSpec || CONTROLLERS.has(manager)) continue
    if (last === undefined || timeMs > last.timeMs) last = { timeMs, by: manager }
  }
  return last
}

function conditionOf(value: unknown): readonly Condition[] {
  const { type, status, reason, message, lastTransitionTime, observedGeneration } = fieldsOf(value)
  if (typeof type !== 'string' || (status !== 'True' && status !== 'False' && status !== 'Unknown')) return []
  const generation = numberOf(observedGeneration)
  return [
    {
      type,
      status,
      reason: textOf(reason) ?? '',
      message: textOf(message) ?? '',
      lastTransitionTime: textOf(lastTransitionTime) ?? '',
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    },
  ]
}

function driftOf(value: unknown): readonly DriftEntry[] {
  const { path, desired, actual, since } = fieldsOf(value)
  if (typeof path !== 'string') return []
  return [{ path, desired: textOf(desired) ?? '', actual: textOf(actual) ?? '', since: textOf(since) ?? '' }]
}

function planOf({ action, reason, message }: Fields): Item['plan'] {
  if (typeof action !== 'string') return undefined
  return { action, reason: textOf(reason) ?? '', message: textOf(message) ?? '' }
}

function attemptOf({ id, effect }: Fields): Item['attempt'] {
  return typeof id === 'string' ? { id, effect: textOf(effect) ?? 'call' } : undefined
}

function externalOf({ name, id, ownership }: Fields): Item['external'] {
  if (typeof name !== 'string') return undefined
  const externalId = textOf(id)
  return { name, ownership: textOf(ownership) ?? '', ...(externalId === undefined ? {} : { id: externalId }) }
}
