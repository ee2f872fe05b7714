import type { KubeObject, OwnerReference } from '@orrery/api'
import { equalJson, isConflict, isNotFound } from '@orrery/api'
import type { Client } from '@orrery/client'
import { kindOf } from '@orrery/client'
import type { Outcome } from '../controller.ts'
import { again, done } from '../controller.ts'
import type { GraphNode, OwnerGraph } from './owner-graph.ts'
import {
  blockingDependents,
  FOREGROUND,
  isDeleting,
  isOrphaning,
  isWaitingForDependents,
  ORPHAN,
  ownersOf,
} from './owner-graph.ts'
import type { OwnerState, OwnerStates } from './owner-states.ts'

/** Owners of unknown kinds, and views that are not complete yet, are looked at again after this. */
const UNKNOWN_RETRY_MS = 30_000
const INCOMPLETE_RETRY_MS = 1_000

export interface Collection {
  readonly graph: OwnerGraph
  readonly states: OwnerStates
  /** Every served kind is watched and its view is complete: only then may «no dependents» be believed. */
  readonly isComplete: () => boolean
  readonly enqueue: (node: GraphNode) => void
}

interface Call {
  readonly client: Client
  readonly signal: AbortSignal
}

/** Everything the owner references of one object, and its own deletion policy, ask for now. */
export async function collect(node: GraphNode, collection: Collection, call: Call): Promise<Outcome> {
  if (isOrphaning(node.object)) return orphan(node, collection, call)
  if (isWaitingForDependents(node.object)) {
    const outcome = await releaseForeground(node, collection, call)
    if (outcome !== undefined) return outcome
  }
  return ownersOf(node).length === 0 ? done : judge(node, collection, call)
}

/** Takes this owner from its dependents, then lets it go. */
async function orphan(node: GraphNode, collection: Collection, call: Call): Promise<Outcome> {
  if (!collection.isComplete()) return again(INCOMPLETE_RETRY_MS)
  for (const dependent of collection.graph.dependents(node.uid)) {
    await writeOwners(
      dependent,
      ownersOf(dependent).filter((owner) => owner.uid !== node.uid),
      call,
    )
  }
  await removeFinalizer(node, ORPHAN, call)
  return done
}

/** Undefined: it still waits, or is done waiting for nothing; its own owners are looked at as well. */
async function releaseForeground(node: GraphNode, collection: Collection, call: Call): Promise<Outcome | undefined> {
  const blocking = blockingDependents(collection.graph, node.uid)
  if (blocking.length > 0) {
    // Each sees that its owner waits and goes by itself; its going wakes this object again.
    for (const dependent of blocking) if (!isDeleting(dependent.object)) collection.enqueue(dependent)
    return undefined
  }
  if (!collection.isComplete()) return again(INCOMPLETE_RETRY_MS)
  await removeFinalizer(node, FOREGROUND, call)
  return done
}

async function judge(node: GraphNode, collection: Collection, call: Call): Promise<Outcome> {
  const owners = await Promise.all(
    ownersOf(node).map(async (owner) => ({
      owner,
      state: await collection.states.stateOf(owner, node, call.client, call.signal),
    })),
  )
  const has = (...states: readonly OwnerState[]) => owners.some(({ state }) => states.includes(state))
  if (has('unknown')) return again(UNKNOWN_RETRY_MS)
  if (!has('absent', 'waiting')) return done
  if (has('living', 'invalid')) {
    const kept = owners.filter(({ state }) => state === 'living' || state === 'invalid').map(({ owner }) => owner)
    await writeOwners(node, kept, call)
    return done
  }
  if (isDeleting(node.object) && !has('waiting')) return done
  return remove(node, has('waiting'), collection, call)
}

/** All owners are gone or wait for this object to go. */
async function remove(node: GraphNode, isAwaited: boolean, collection: Collection, call: Call): Promise<Outcome> {
  const dependents = collection.graph.dependents(node.uid)
  const isForeground = isAwaited && dependents.length > 0
  if (isForeground && dependents.some((dependent) => isWaitingForDependents(dependent.object))) {
    // A circle in which each waits for the next: this one stops blocking its owners, which breaks it.
    const owners = ownersOf(node)
    if (owners.some((owner) => owner.blockOwnerDeletion === true)) {
      await writeOwners(
        node,
        owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
        call,
      )
      return again(0)
    }
  }
  if (isDeleting(node.object)) return done
  const kind = kindOf(node.resource)
  // The last look before deleting: the view may be behind, e.g. on an owner reference that was just taken away.
  const live = await call.client.find(kind, node.key, { metadataOnly: true, signal: call.signal })
  if (live === undefined || !isSameIncarnation(live, node.object)) return done
  const { uid, resourceVersion } = live.metadata
  const propagation = policyOf(live) ?? (isForeground ? 'Foreground' : 'Background')
  try {
    const precondition = { uid: node.uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
    if (uid === node.uid)
      await call.client.delete(kind, node.key, { ...precondition, propagation, signal: call.signal })
  } catch (error) {
    // Changed or gone in between. A change comes as an event and is judged anew.
    if (!isNotFound(error) && !isConflict(error)) throw error
  }
  return done
}

function isSameIncarnation(live: KubeObject, seen: KubeObject): boolean {
  return (
    live.metadata.uid === seen.metadata.uid && equalJson(live.metadata.ownerReferences, seen.metadata.ownerReferences)
  )
}

/** A policy that somebody asked for earlier stays. */
function policyOf(object: KubeObject): 'Orphan' | 'Foreground' | undefined {
  if (object.metadata.finalizers?.includes(ORPHAN) === true) return 'Orphan'
  return object.metadata.finalizers?.includes(FOREGROUND) === true ? 'Foreground' : undefined
}

/** Conditional on the version that was judged; a conflict is retried by the queue with the newer one. */
async function writeOwners(node: GraphNode, owners: readonly OwnerReference[], call: Call): Promise<void> {
  const body = { metadata: { ...versionOf(node), ownerReferences: owners.length === 0 ? null : owners.map(asJson) } }
  await patch(node, body, call)
}

async function removeFinalizer(node: GraphNode, finalizer: string, call: Call): Promise<void> {
  const finalizers = (node.object.metadata.finalizers ?? []).filter((known) => known !== finalizer)
  await patch(node, { metadata: { ...versionOf(node), finalizers } }, call)
}

async function patch(node: GraphNode, body: { readonly metadata: Metadata }, call: Call): Promise<void> {
  try {
    await call.client.patch(
      kindOf(node.resource),
      node.key,
      { type: 'merge', body: { ...body } },
      { signal: call.signal },
    )
  } catch (error) {
    if (!isNotFound(error)) throw error // Gone already.
  }
}

type JsonText = Readonly<Record<string, string | boolean>>
type Metadata = Readonly<Record<string, string | null | readonly string[] | readonly JsonText[]>>

function versionOf(node: GraphNode): Readonly<Record<string, string>> {
  const { resourceVersion } = node.object.metadata
  return { uid: node.uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
}

function asJson(owner: OwnerReference): JsonText {
  return Object.fromEntries(Object.entries(owner).filter(([, value]) => value !== undefined))
}
