import type { KubeObject, ObjectKey, OwnerReference } from '@orrery/api'
import { keyOf } from '@orrery/api'
import type { DiscoveredResource } from '@orrery/client'

/** An object as the collector knows it: metadata only. */
export interface GraphNode {
  readonly resource: DiscoveredResource
  readonly object: KubeObject
  readonly uid: string
  readonly key: ObjectKey
}

export const FOREGROUND = 'foregroundDeletion'
export const ORPHAN = 'orphan'

/** Who owns whom, by uid: names come again, uids never do. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>()
  readonly #dependents = new Map<string, Map<string, GraphNode>>()

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  /** Objects that name this uid as an owner, whatever else they say about it. */
  dependents(uid: string): readonly GraphNode[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])]
  }

  put(resource: DiscoveredResource, object: KubeObject): GraphNode | undefined {
    const { uid } = object.metadata
    if (uid === undefined) return undefined
    this.remove(uid)
    const node: GraphNode = { resource, object, uid, key: keyOf(object) }
    this.#nodes.set(uid, node)
    for (const owner of ownersOf(node)) {
      const dependents = this.#dependents.get(owner.uid) ?? new Map<string, GraphNode>()
      this.#dependents.set(owner.uid, dependents)
      dependents.set(uid, node)
    }
    return node
  }

  remove(uid: string): void {
    const node = this.#nodes.get(uid)
    if (node === undefined) return
    this.#nodes.delete(uid)
    for (const owner of ownersOf(node)) {
      const dependents = this.#dependents.get(owner.uid)
      dependents?.delete(uid)
      if (dependents?.size === 0) this.#dependents.delete(owner.uid)
    }
  }

  /** Forgets a kind that is no longer served. What it owned is left as it is. */
  removeResource(id: string): void {
    for (const node of this.#nodes.values()) if (idOf(node.resource) === id) this.remove(node.uid)
  }
}

export const idOf = (resource: Pick<DiscoveredResource, 'group' | 'plural'>): string =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`

export const ownersOf = (node: Pick<GraphNode, 'object'>): readonly OwnerReference[] =>
  node.object.metadata.ownerReferences ?? []

export const isDeleting = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined

/** Marked for deletion, and kept until what it owns is gone. */
export const isWaitingForDependents = (object: KubeObject): boolean =>
  isDeleting(object) && object.metadata.finalizers?.includes(FOREGROUND) === true

export const isOrphaning = (object: KubeObject): boolean =>
  isDeleting(object) && object.metadata.finalizers?.includes(ORPHAN) === true

/** Dependents for which the owner must wait. */
export function blockingDependents(graph: OwnerGraph, uid: string): readonly GraphNode[] {
  return graph
    .dependents(uid)
    .filter((node) => ownersOf(node).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true))
}
