import { formatTime, isConflict, isNotFound, type JsonObject } from '@orrery/api'
import type { ResourceDefinition } from '../builtin/builtin.ts'
import { findResource } from '../registry/catalogue.ts'
import type { HubCore } from '../registry/core.ts'
import { deleteObject } from '../registry/delete.ts'
import { type MutableObject, objectAt, textsAt } from '../registry/json-access.ts'
import type { ServedResource } from '../registry/served-resource.ts'
import { encodeStored } from '../registry/stored-form.ts'
import { revision } from '../store/store.ts'
import { type CustomResources, crdFinalizer, crdPrefix, type KnownCrd } from './custom-resources.ts'
import { conditionStatus, settleNames } from './names.ts'

/** Instances looked at together; bounds what the keeper holds in memory. */
const instancesPerPage = 500
/** After an error: the store may be full or starting again. */
const retryMs = 1000

/**
 * Finishes what writes of CRDs begin: deletes the instances of a CRD that ends, then lets the CRD go, and
 * gives names that became free to CRDs that wait for them. Works by looking at what is; a wake-up says
 * only that it may be worth looking.
 */
export class CrdKeeper implements AsyncDisposable {
  readonly #core: HubCore
  readonly #customResources: CustomResources
  readonly #builtins: readonly ResourceDefinition[]
  readonly #watched = new Map<string, Disposable>()
  #isDirty = false
  #running: Promise<void> | undefined
  #retry: Disposable | undefined
  #isClosed = false

  constructor(core: HubCore, customResources: CustomResources, builtins: readonly ResourceDefinition[]) {
    this.#core = core
    this.#customResources = customResources
    this.#builtins = builtins
  }

  /** Has the keeper look, now or after the round that is under way. */
  wake(): void {
    this.#isDirty = true
    if (this.#running !== undefined || this.#isClosed) return
    this.#running = this.#rounds().finally(() => {
      this.#running = undefined
      // A wake-up that came between the last look and here.
      if (this.#isDirty && this.#retry === undefined) this.wake()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#retry?.[Symbol.dispose]()
    for (const observer of this.#watched.values()) observer[Symbol.dispose]()
    this.#watched.clear()
    await this.#running
  }

  async #rounds(): Promise<void> {
    // Not within the cache's own step, which may be what woke us.
    await Promise.resolve()
    while (this.#isDirty && !this.#isClosed) {
      this.#isDirty = false
      try {
        for (const crd of this.#customResources.all()) await this.#look(crd)
      } catch (error) {
        if (this.#isClosed) return
        this.#core.log.warn({ error }, `work on CustomResourceDefinitions failed; trying again in ${retryMs} ms`)
        this.#retry = this.#core.clock.schedule(retryMs, () => {
          this.#retry = undefined
          this.wake()
        })
        return
      }
    }
  }

  async #look(crd: KnownCrd): Promise<void> {
    const metadata = objectAt(crd.object, 'metadata')
    if (metadata['deletionTimestamp'] !== undefined) {
      if (textsAt(metadata, 'finalizers').includes(crdFinalizer)) await this.#finish(crd)
      return
    }
    if (conditionStatus(crd.object, 'NamesAccepted') !== 'True') await this.#offerNames(crd)
  }

  async #finish(crd: KnownCrd): Promise<void> {
    const { storage } = crd
    if (storage !== undefined) {
      this.#watchInstances(crd.name, storage.prefix)
      await this.#deleteInstances(storage)
      const rest = await this.#core.cache.list({ prefix: storage.prefix, match: {}, limit: 1 })
      // The removal of the last instance wakes us.
      if (rest.items.length > 0 || this.#isClosed) return
    }
    await this.#change(crd, (object) => {
      const metadata = objectAt(object, 'metadata')
      const finalizers = textsAt(metadata, 'finalizers').filter((finalizer) => finalizer !== crdFinalizer)
      object['metadata'] = { ...metadata, finalizers }
    })
    this.#watched.get(crd.name)?.[Symbol.dispose]()
    this.#watched.delete(crd.name)
  }

  async #deleteInstances(storage: ServedResource): Promise<void> {
    let after: string | undefined
    do {
      const request = { prefix: storage.prefix, match: {}, limit: instancesPerPage }
      const page = await this.#core.cache.list(after === undefined ? request : { ...request, after })
      for (const { index } of page.items) {
        if (this.#isClosed) return
        const address = { resource: storage, namespace: index.namespace, name: index.name }
        try {
          await deleteObject(this.#core, address, { dryRun: false, propagationPolicy: undefined, preconditions: {} })
        } catch (error) {
          // Somebody else is at it; what remains wakes us again.
          if (!isNotFound(error) && !isConflict(error)) throw error
        }
      }
      after = page.next
    } while (after !== undefined)
  }

  #watchInstances(name: string, prefix: string): void {
    if (this.#watched.has(name)) return
    const observer = this.#core.cache.observe(prefix, (frames) => {
      if (frames.some((frame) => frame.type === 'DELETED')) this.wake()
    })
    this.#watched.set(name, observer)
  }

  async #offerNames(crd: KnownCrd): Promise<void> {
    const others = [...this.#customResources.all()].map((other) => other.object)
    const probe: MutableObject = { ...crd.object }
    settleNames(probe, others, this.#builtins, formatTime(this.#core.clock.now()))
    if (conditionStatus(probe, 'NamesAccepted') !== 'True') return
    await this.#change(crd, (object) => {
      object['status'] = probe['status'] ?? null
    })
  }

  /** Writes a change of our own to a CRD; somebody faster wakes us through the cache. */
  async #change(crd: KnownCrd, change: (object: MutableObject) => void): Promise<void> {
    const strategy = this.#core.strategies.get(crdPrefix)
    const write = async () => {
      const next: MutableObject = { ...crd.object }
      change(next)
      const key = `${crdPrefix}/${crd.name}`
      const expected = revision(crd.revision)
      const isGone = textsAt(objectAt(next, 'metadata'), 'finalizers').length === 0
      const isEnding = objectAt(next, 'metadata')['deletionTimestamp'] !== undefined
      if (isGone && isEnding) await this.#core.cache.write({ key, expected })
      else await this.#core.cache.write({ key, expected, value: this.#encode(next) })
    }
    await (strategy?.exclusively === undefined ? write() : strategy.exclusively(write))
  }

  #encode(crd: JsonObject): Uint8Array {
    const address = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' }
    const resource = findResource(this.#core.catalogue(), address)
    if (resource === undefined) throw new Error('customresourcedefinitions are not among the built-in kinds')
    return encodeStored(resource, crd).bytes
  }
}
