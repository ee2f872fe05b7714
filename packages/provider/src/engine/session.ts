import type { Condition, ObjectKey } from '@orrery/api'
import { equalJson, findCondition, formatTime, isConflict, keyOf, setCondition } from '@orrery/api'
import type { ManagedObject, ManagedStatus } from '../managed.ts'
import { annotations, FINALIZER } from '../managed.ts'
import type { EngineWorld, KindEntry } from './registry.ts'

type StatusField = keyof ManagedStatus

/** Field manager of everything the engine writes. */
export const FIELD_MANAGER = 'orrery-engine'
/** An object that somebody changes faster than this is settled by the next reconcile. */
const MAX_KEEP_TRIES = 5

/**
 * One reconcile's hold on one object: the newest version of it, and the status it is to have. Status is
 * written when it differs in meaning, and at no other time; each write is conditional on the version held.
 */
export class Session {
  readonly world: EngineWorld
  readonly entry: KindEntry
  readonly signal: AbortSignal
  #object: ManagedObject
  #status: ManagedStatus
  /** `forProvider` with references resolved, once they are. */
  desired: Readonly<Record<string, unknown>>

  constructor(options: {
    readonly world: EngineWorld
    readonly entry: KindEntry
    readonly object: ManagedObject
    readonly signal: AbortSignal
  }) {
    this.world = options.world
    this.entry = options.entry
    this.signal = options.signal
    this.#object = options.object
    this.#status = options.object.status ?? {}
    this.desired = options.object.spec.forProvider
  }

  get object(): ManagedObject {
    return this.#object
  }

  get key(): ObjectKey {
    return keyOf(this.#object)
  }

  /** The object with the status it is to have. */
  withDraft(): ManagedObject {
    return { ...this.#object, status: this.#status }
  }

  get status(): ManagedStatus {
    return this.#status
  }

  get deleting(): boolean {
    return this.#object.metadata.deletionTimestamp !== undefined
  }

  get generation(): number {
    return this.#object.metadata.generation ?? 0
  }

  get externalName(): string {
    return this.#status.external?.name ?? this.requestedName
  }

  /** What the annotation, or the kind's rule, says the external name should be. */
  get requestedName(): string {
    const { metadata } = this.#object
    return (
      metadata.annotations?.[annotations.externalName] ??
      this.entry.definition.defaultExternalName?.({
        namespace: metadata.namespace ?? '',
        name: metadata.name,
        desired: this.desired,
      }) ??
      metadata.name
    )
  }

  set(fields: ManagedStatus): void {
    this.#status = { ...this.#status, ...fields }
  }

  clear(...fields: readonly StatusField[]): void {
    const kept = Object.entries(this.#status).filter(([name]) => !fields.some((field) => field === name))
    this.#status = Object.fromEntries(kept)
  }

  condition(type: 'Ready' | 'Synced' | 'UpToDate', status: Condition['status'], reason: string, message: string): void {
    // Measured against what is stored: what changes and changes back within one reconcile has not changed.
    const stored = findCondition(this.#object.status?.conditions, type)
    const draft = this.#status.conditions ?? []
    const conditions = setCondition(
      stored === undefined ? draft : draft.map((each) => (each.type === type ? stored : each)),
      { type, status, reason, message, observedGeneration: this.generation },
      formatTime(this.world.clock.now()),
    )
    this.#status = { ...this.#status, conditions }
  }

  event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.world.events.record({ object: this.#object, type, reason, message })
  }

  /**
   * Writes the status if it differs. Returns whether it did. When somebody changed the object in the meantime,
   * what became known is kept beside their change before the conflict is thrown: an outcome that is lost would
   * have to be settled, and that takes time.
   */
  async commit(): Promise<boolean> {
    try {
      return await this.commitAsSeen()
    } catch (error) {
      if (isConflict(error)) await this.#keepStatus()
      throw error
    }
  }

  /** Like `commit`, but a conflict leaves nothing behind: for a licence, which holds only for the object as it was seen. */
  async commitAsSeen(): Promise<boolean> {
    if (equalJson(this.#object.status ?? {}, this.#status)) return false
    await this.#writeStatus(this.#object)
    return true
  }

  // Status is this engine's alone: unless it changed under us, a newer version differs in what users write.
  async #keepStatus(): Promise<void> {
    const seen = this.#object
    for (let tries = 0; tries < MAX_KEEP_TRIES; tries += 1) {
      const newest = await this.world.client.find(this.entry.kind, this.key, { signal: this.signal })
      if (newest === undefined || newest.metadata.uid !== seen.metadata.uid) return
      if (!equalJson(newest.status ?? {}, seen.status ?? {})) return
      try {
        await this.#writeStatus(newest)
        return
      } catch (error) {
        if (!isConflict(error)) throw error // Changed once more; looked at once more.
      }
    }
  }

  async #writeStatus(object: ManagedObject): Promise<void> {
    await this.#write(() =>
      this.world.client.updateStatus(
        this.entry.kind,
        { ...object, status: this.#status },
        { fieldManager: FIELD_MANAGER, signal: this.signal },
      ),
    )
  }

  /** First half of the protocol of an effect: finalizer and external name are on the object before anything is outside. */
  async ensureHeld(): Promise<void> {
    const { metadata } = this.#object
    const finalizers = metadata.finalizers ?? []
    const held = finalizers.includes(FINALIZER)
    const named = metadata.annotations?.[annotations.externalName] === this.externalName
    if (held && named) return
    await this.#patchMetadata({
      ...(held ? {} : { finalizers: [...finalizers, FINALIZER] }),
      ...(named ? {} : { annotations: { [annotations.externalName]: this.externalName } }),
    })
  }

  /** The last act: the object may go. */
  async release(): Promise<void> {
    const finalizers = this.#object.metadata.finalizers ?? []
    if (!finalizers.includes(FINALIZER)) return
    await this.#patchMetadata({ finalizers: finalizers.filter((finalizer) => finalizer !== FINALIZER) })
  }

  /** An answered instruction must not be followed twice. */
  async removeAnnotation(name: string): Promise<void> {
    if (this.#object.metadata.annotations?.[name] === undefined) return
    await this.#patchMetadata({ annotations: { [name]: null } })
  }

  async #patchMetadata(fields: {
    readonly finalizers?: readonly string[]
    readonly annotations?: Readonly<Record<string, string | null>>
  }): Promise<void> {
    const resourceVersion = this.#object.metadata.resourceVersion ?? ''
    await this.#write(() =>
      this.world.client.patch(
        this.entry.kind,
        keyOf(this.#object),
        { type: 'merge', body: { metadata: { resourceVersion, ...fields } } },
        { fieldManager: FIELD_MANAGER, signal: this.signal },
      ),
    )
  }

  // The draft of the status survives a metadata write: it is committed later, on the version returned here.
  async #write(write: () => Promise<ManagedObject>): Promise<void> {
    this.#object = await this.entry.memory.write(this.key, write)
  }
}
