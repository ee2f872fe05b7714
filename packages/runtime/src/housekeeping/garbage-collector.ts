import type { KubeObject, Logger, ResourceInfo } from '@orrery/api'
import { customResourceDefinitions } from '@orrery/api'
import type { DiscoveredResource, Informer, InformerEvent } from '@orrery/client'
import { discover, kindOf } from '@orrery/client'
import type { Controller, ControllerOptions, Outcome, ReconcileContext } from '../controller.ts'
import { again, done } from '../controller.ts'
import type { EventRecorder } from '../event-recorder.ts'
import type { Manager } from '../manager.ts'
import type { Collection } from './collect.ts'
import { collect } from './collect.ts'
import type { GraphNode } from './owner-graph.ts'
import { idOf, isDeleting, isOrphaning, isWaitingForDependents, OwnerGraph, ownersOf } from './owner-graph.ts'
import { OwnerStates } from './owner-states.ts'

/** Objects of one kind that are judged at the same time. */
const CONCURRENCY = 8
/** Kinds that come without a CustomResourceDefinition (aggregated servers) are found after this at the latest. */
const DISCOVERY_MS = 30_000
/** A server may list a new kind a moment after its definition says so. */
const DISCOVERY_AFTER_CHANGE_MS = 2_000
/** Events own nothing, are owned by nothing and are many. */
const IGNORED: readonly Pick<ResourceInfo, 'group' | 'plural'>[] = [
  { group: '', plural: 'events' },
  { group: 'events.k8s.io', plural: 'events' },
]

export interface GarbageCollectorOptions {
  readonly manager: Pick<Manager, 'add' | 'remove' | 'informers'>
  readonly events: EventRecorder
  readonly log: Logger
  /** Kinds that are not watched; by default events. */
  readonly ignored?: readonly Pick<ResourceInfo, 'group' | 'plural'>[]
}

/**
 * Collects objects whose owners are gone, and carries out foreground and orphan deletion, for every kind the
 * server lets be listed, watched and deleted. It consists of ordinary controllers: one that follows discovery
 * and adds or removes the others, one per kind. An owner is taken for gone only on proof: its deletion was seen, or
 * the server says that no object of this name has this uid. A kind that vanishes destroys nothing.
 */
export function addGarbageCollector(options: GarbageCollectorOptions): Controller {
  const collector = new Collector(options)
  const controller = options.manager.add(collector.discovery())
  controller.enqueue(DISCOVERY_KEY, 'change')
  return controller
}

const DISCOVERY_KEY = { name: 'discovery' }

interface Tracked {
  readonly resource: DiscoveredResource
  readonly informer: Informer<KubeObject>
  readonly listener: Disposable
  readonly controller: Controller
}

class Collector {
  readonly #options: GarbageCollectorOptions
  readonly #graph = new OwnerGraph()
  readonly #states: OwnerStates
  readonly #tracked = new Map<string, Tracked>()
  readonly #collection: Collection
  #isDiscoveryComplete = false

  constructor(options: GarbageCollectorOptions) {
    this.#options = options
    this.#states = new OwnerStates({ graph: this.#graph, events: options.events })
    this.#collection = {
      graph: this.#graph,
      states: this.#states,
      isComplete: () =>
        this.#isDiscoveryComplete && [...this.#tracked.values()].every(({ informer }) => informer.synced),
      enqueue: (node) => this.#enqueue(node),
    }
  }

  /** Has a single key; definitions that come and go only wake it. */
  discovery(): ControllerOptions {
    return {
      name: 'garbage-collector',
      for: customResourceDefinitions,
      metadataOnly: true,
      when: () => false,
      watches: [{ kind: customResourceDefinitions, metadataOnly: true, map: () => [DISCOVERY_KEY] }],
      concurrency: 1,
      reconcile: async (context) => {
        await this.#follow(context)
        return again(context.priority === 'change' ? DISCOVERY_AFTER_CHANGE_MS : DISCOVERY_MS)
      },
    }
  }

  async #follow({ client, signal }: ReconcileContext): Promise<void> {
    const { resources, failures } = await discover(client, { signal })
    const ignored = (this.#options.ignored ?? IGNORED).map(idOf)
    const wanted = new Map(resources.filter(isCollectable).map((resource) => [idOf(resource), resource]))
    for (const id of ignored) wanted.delete(id)
    this.#states.serve(resources)
    for (const [id, resource] of wanted) {
      const tracked = this.#tracked.get(id)
      if (tracked?.resource.version === resource.version) continue
      if (tracked !== undefined) await this.#drop(id, tracked)
      this.#track(id, resource)
    }
    this.#isDiscoveryComplete = failures.length === 0
    // A group that could not be described is not gone.
    if (failures.length > 0) return
    for (const [id, tracked] of this.#tracked) if (!wanted.has(id)) await this.#drop(id, tracked)
  }

  #track(id: string, resource: DiscoveredResource): void {
    const { manager } = this.#options
    const kind = kindOf(resource)
    const informer = manager.informers.informer(kind, {}, { metadataOnly: true })
    // Before the controller's own listener: when it hears of an object, the graph knows it.
    const listener = informer.listen((event) => this.#hear(resource, event))
    const controller = manager.add({
      name: `garbage-collector/${id}`,
      for: kind,
      metadataOnly: true,
      when: (event) => event.current !== undefined && hasWork(event.current),
      concurrency: CONCURRENCY,
      reconcile: (context) => this.#reconcile(informer, context),
    })
    this.#tracked.set(id, { resource, informer, listener, controller })
  }

  async #drop(id: string, tracked: Tracked): Promise<void> {
    const { manager, log } = this.#options
    this.#tracked.delete(id)
    tracked.listener[Symbol.dispose]()
    await manager.remove(tracked.controller.name)
    await manager.informers.release(kindOf(tracked.resource), { metadataOnly: true })
    this.#graph.removeResource(id)
    log.info({ resource: id }, 'the kind is no longer served; nothing it owned is collected for that')
  }

  async #reconcile(informer: Informer<KubeObject>, { key, client, signal }: ReconcileContext): Promise<Outcome> {
    const uid = informer.get(key)?.metadata.uid
    const node = uid === undefined ? undefined : this.#graph.get(uid)
    return node === undefined ? done : collect(node, this.#collection, { client, signal })
  }

  #hear(resource: DiscoveredResource, event: InformerEvent<KubeObject>): void {
    const uid = (event.current ?? event.previous)?.metadata.uid
    if (uid === undefined) return
    const before = this.#graph.get(uid)
    if (event.current === undefined) {
      this.#graph.remove(uid)
      // A list that lacks the object is a hint, which the dependents check; only a watch saw it go.
      if (event.cause === 'watch') this.#states.noteDeleted(uid)
    } else this.#graph.put(resource, event.current)
    const isGoing = event.current === undefined || isWaitingForDependents(event.current)
    if (isGoing) for (const dependent of this.#graph.dependents(uid)) this.#enqueue(dependent)
    if (before !== undefined) this.#wakeWaitingOwners(before)
  }

  /** A dependent that went, or stopped blocking, may have been the last its owner waited for. */
  #wakeWaitingOwners(dependent: GraphNode): void {
    for (const { uid } of ownersOf(dependent)) {
      const owner = this.#graph.get(uid)
      if (owner !== undefined && isDeleting(owner.object)) this.#enqueue(owner)
    }
  }

  #enqueue(node: GraphNode): void {
    this.#tracked.get(idOf(node.resource))?.controller.enqueue(node.key, 'change')
  }
}

function isCollectable({ verbs }: DiscoveredResource): boolean {
  return ['list', 'watch', 'delete', 'get', 'patch'].every((verb) => verbs.includes(verb))
}

const hasWork = (object: KubeObject) =>
  (object.metadata.ownerReferences?.length ?? 0) > 0 || isWaitingForDependents(object) || isOrphaning(object)
