import type { KubeObject, OwnerReference } from '@orrery/api'
import type { Client, DiscoveredResource } from '@orrery/client'
import { kindOf } from '@orrery/client'
import type { EventRecorder } from '../event-recorder.ts'
import type { GraphNode, OwnerGraph } from './owner-graph.ts'
import { isWaitingForDependents } from './owner-graph.ts'

/** Uids of owners proven gone. A uid is never used again, so the proof holds for ever; the bound is on memory. */
const ABSENT_MAX = 50_000

/** What an owner reference amounts to. Only `absent` is proof, and only `absent` and `waiting` let a dependent go. */
export type OwnerState =
  | 'living'
  /** Being deleted in the foreground: waits for its dependents. */
  | 'waiting'
  /** This very object is gone: its deletion was observed, or the server says so by its name and uid. */
  | 'absent'
  /** Its kind is not served now, or the server could not say. */
  | 'unknown'
  /** A reference across namespaces, or one that contradicts the object with that uid. It owns nothing. */
  | 'invalid'

/** Finds out about owners, with as few reads as possible and never by guessing. */
export class OwnerStates {
  readonly #graph: OwnerGraph
  readonly #events: EventRecorder
  readonly #absent = new Set<string>()
  /** `group/Kind` to resource. */
  #kinds: ReadonlyMap<string, DiscoveredResource> = new Map()

  constructor(options: { readonly graph: OwnerGraph; readonly events: EventRecorder }) {
    this.#graph = options.graph
    this.#events = options.events
  }

  serve(resources: readonly DiscoveredResource[]): void {
    this.#kinds = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]))
  }

  /** Its deletion was seen in a watch; a list that lacks it would prove nothing. */
  noteDeleted(uid: string): void {
    this.#absent.add(uid)
    const [oldest] = this.#absent
    if (this.#absent.size > ABSENT_MAX && oldest !== undefined) this.#absent.delete(oldest)
  }

  async stateOf(owner: OwnerReference, dependent: GraphNode, client: Client, signal: AbortSignal): Promise<OwnerState> {
    const known = this.#graph.get(owner.uid)
    if (known !== undefined) return this.#stateOfKnown(owner, known, dependent)
    if (this.#absent.has(owner.uid)) return 'absent'
    const resource = this.#kinds.get(`${groupOf(owner.apiVersion)}/${owner.kind}`)
    if (resource === undefined) return 'unknown'
    const { namespace } = dependent.object.metadata
    if (resource.namespaced && namespace === undefined) return this.#invalid(owner, dependent)
    const key = resource.namespaced && namespace !== undefined ? { namespace, name: owner.name } : { name: owner.name }
    const live = await client.find(kindOf(resource), key, { metadataOnly: true, signal })
    if (live?.metadata.uid === owner.uid) return stateOfLiving(live)
    this.noteDeleted(owner.uid)
    return 'absent'
  }

  #stateOfKnown(owner: OwnerReference, known: GraphNode, dependent: GraphNode): OwnerState {
    const { name, namespace } = known.object.metadata
    const isElsewhere = known.resource.namespaced && namespace !== dependent.object.metadata.namespace
    const isOther =
      name !== owner.name || known.resource.kind !== owner.kind || known.resource.group !== groupOf(owner.apiVersion)
    return isElsewhere || isOther ? this.#invalid(owner, dependent) : stateOfLiving(known.object)
  }

  #invalid(owner: OwnerReference, dependent: GraphNode): OwnerState {
    const where = dependent.object.metadata.namespace
    this.#events.record({
      object: dependent.object,
      type: 'Warning',
      reason: 'OwnerRefInvalidNamespace',
      message: `ownerRef [${owner.apiVersion}/${owner.kind}, namespace: ${where ?? ''}, name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace "${where ?? ''}"`,
    })
    return 'invalid'
  }
}

const stateOfLiving = (object: KubeObject): OwnerState => (isWaitingForDependents(object) ? 'waiting' : 'living')

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? '' : apiVersion.slice(0, slash)
}
