import type { Clock, Kind, Logger, ObjectKey, Random, Secret } from '@orrery/api'
import { formatKey, isConflict } from '@orrery/api'
import type { Client, Informer } from '@orrery/client'
import type { Leadership } from '@orrery/runtime'
import type { KindDefinition } from '../kind.ts'
import type { ProviderConfigObject } from '../kinds.ts'
import type { ManagedKind, ManagedObject } from '../managed.ts'
import type { ProviderDefinition } from '../provider.ts'
import type { ConnectionPool } from './pool.ts'

/** What happened, once, for people who run `kubectl describe`. Never blocks and never fails its caller. */
export interface EventSink {
  record(event: {
    readonly object: ManagedObject | ProviderConfigObject
    readonly type: 'Normal' | 'Warning'
    readonly reason: string
    readonly message: string
  }): void
}

/** Counts and times external calls; labels are bounded by the kinds that exist. */
export interface EngineMetrics {
  externalCall(labels: { readonly kind: string; readonly verb: string; readonly result: string }, seconds: number): void
}

/** Everything that the parts of the engine share. */
export interface EngineWorld {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly events: EventSink
  readonly metrics: EngineMetrics
  readonly leadership: Leadership
  /** Of the API server: uid of its `kube-system` namespace. */
  readonly hub: string
  /** Namespace of claims and of the hash key. */
  readonly systemNamespace: string
  /** Key of the hashes that stand for secrets. */
  readonly hashKey: Uint8Array
  readonly secrets: Informer<Secret>
  readonly kinds: ReadonlyMap<string, KindEntry>
  readonly timing: EngineTiming
  /** A call of this object failed as calls do when the whole system is away: its ProviderConfig is checked at once. */
  readonly suspect: (entry: KindEntry, object: ManagedObject) => void
}

export interface EngineTiming {
  /** How long an attempt licenses its call to be sent. */
  readonly sendWindowMs: number
  /** Longest time one read outside may take. */
  readonly observeTimeoutMs: number
}

export const DEFAULT_TIMING: EngineTiming = { sendWindowMs: 5_000, observeTimeoutMs: 30_000 }

export interface ProviderEntry {
  readonly definition: ProviderDefinition
  readonly config: Kind<ProviderConfigObject>
  readonly clusterConfig: Kind<ProviderConfigObject>
  readonly configs: Informer<ProviderConfigObject>
  readonly clusterConfigs: Informer<ProviderConfigObject>
  readonly pool: ConnectionPool
}

/** One managed kind at work. */
export interface KindEntry {
  /** `group/Kind`. */
  readonly id: string
  readonly definition: KindDefinition
  readonly kind: ManagedKind
  readonly provider: ProviderEntry
  readonly informer: Informer<ManagedObject>
  readonly memory: KindMemory
}

/** Whether ProviderConfigs may name objects of this kind instead of an address. */
export function isInstance(entry: Pick<KindEntry, 'definition' | 'provider'>): boolean {
  return entry.definition.kind === entry.provider.definition.instanceKind
}

export const kindId = (group: string, kind: string): string => `${group}/${kind}`

/** The id of the kind a reference names: `group/Kind`, or a kind of the same provider. */
export function referencedKindId(entry: Pick<KindEntry, 'kind'>, to: string): string {
  return to.includes('/') ? to : kindId(entry.kind.group, to)
}

/**
 * What the engine remembers between reconciles of one kind: its own last writes, so that it does not act on
 * a view older than what it wrote, and how long each object has been quiet. Losing it costs reads only.
 */
export class KindMemory {
  readonly #written = new Map<string, ManagedObject>()
  /** Versions that the informer showed while a write was under way; undefined once a list came in between. */
  readonly #seenMeanwhile = new Map<string, Set<string> | undefined>()
  readonly #quiet = new Map<string, number>()

  /** The newest version known: the own last write until the informer has caught up with it. */
  newest(informer: Pick<Informer<ManagedObject>, 'get'>, key: ObjectKey): ManagedObject | undefined {
    const seen = informer.get(key)
    const written = this.#written.get(formatKey(key))
    if (seen === undefined || written === undefined) return seen
    return written.metadata.uid === seen.metadata.uid ? written : seen
  }

  /** Performs a write and remembers its result, unless the informer has shown it already: events may be faster than answers. */
  async write(key: ObjectKey, write: () => Promise<ManagedObject>): Promise<ManagedObject> {
    const id = formatKey(key)
    this.#seenMeanwhile.set(id, new Set())
    try {
      const object = await write()
      const seen = this.#seenMeanwhile.get(id)
      const version = object.metadata.resourceVersion ?? ''
      if (seen === undefined || seen.has(version)) this.#written.delete(id)
      else this.#written.set(id, object)
      return object
    } catch (error) {
      // After a conflict the own last write is no longer the newest; the informer will tell.
      if (isConflict(error)) this.#written.delete(id)
      throw error
    } finally {
      this.#seenMeanwhile.delete(id)
    }
  }

  /** To be called for each event of the informer. A list may have skipped the version that was written. */
  saw(event: {
    readonly cause: string
    readonly type: string
    readonly key: ObjectKey
    readonly current?: ManagedObject
  }): void {
    const id = formatKey(event.key)
    const version = event.current?.metadata.resourceVersion ?? ''
    const isList = event.cause !== 'watch'
    if (this.#seenMeanwhile.has(id)) {
      if (isList) this.#seenMeanwhile.set(id, undefined)
      else this.#seenMeanwhile.get(id)?.add(version)
    }
    const caughtUp = this.#written.get(id)?.metadata.resourceVersion === version
    if (event.type === 'deleted' || isList || caughtUp) this.#written.delete(id)
  }

  /** Polls in a row that found nothing to do. */
  quietPolls(key: ObjectKey): number {
    return this.#quiet.get(formatKey(key)) ?? 0
  }

  setQuiet(key: ObjectKey, polls: number): void {
    if (polls === 0) this.#quiet.delete(formatKey(key))
    else this.#quiet.set(formatKey(key), polls)
  }

  forget(key: ObjectKey): void {
    this.#written.delete(formatKey(key))
    this.#quiet.delete(formatKey(key))
  }
}
