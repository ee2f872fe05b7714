import type { Random } from '@orrery/api'
import { EnvelopeError, isEnvelope, type Keyring, openEnvelope, sealEnvelope } from './envelope.ts'
import {
  type ListRequest,
  type ListResult,
  type Revision,
  type Store,
  type StoredValue,
  StoreError,
  type StoreEvent,
  type WatchRequest,
  type WriteOutcome,
  type WriteRequest,
} from './store.ts'

export interface EncryptionOptions {
  readonly keyring: Keyring
  /** Keys whose values are encrypted, e.g. `/core/secrets/`. */
  readonly prefixes: readonly string[]
  readonly random: Random
}

/**
 * Encrypts the values of some keys on their way into `store`, which becomes the decorator's. Values
 * stored before encryption was on stay readable, and are encrypted by their next write. A value that
 * cannot be decrypted is `unreadable` in lists and watches, `corrupt` in `get`, and can be deleted.
 */
export function encryptedStore(store: Store, options: EncryptionOptions): Store {
  return new EncryptedStore(store, options)
}

class EncryptedStore implements Store {
  readonly id: string
  readonly #store: Store
  readonly #options: EncryptionOptions

  constructor(store: Store, options: EncryptionOptions) {
    this.id = store.id
    this.#store = store
    this.#options = options
  }

  revision(): Promise<Revision> {
    return this.#store.revision()
  }

  compactedRevision(): Promise<Revision> {
    return this.#store.compactedRevision()
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const found = await this.#store.get(key)
    const opened = found === undefined ? undefined : this.#open(found)
    if (opened?.unreadable !== undefined) {
      throw new StoreError(
        'corrupt',
        `The value of ${key} cannot be read: ${opened.unreadable}. Restore or delete it.`,
        {
          key,
          revision: opened.modRevision,
        },
      )
    }
    return opened
  }

  async list(request: ListRequest): Promise<ListResult> {
    const result = await this.#store.list(request)
    return { ...result, items: result.items.map((item) => this.#open(item)) }
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    const { key, value } = request
    const isSealed = value !== undefined && this.#isSecret(key)
    const { keyring, random } = this.#options
    const sealed = isSealed ? { ...request, value: sealEnvelope(value, { storeKey: key, keyring, random }) } : request
    const outcome = await this.#store.write(sealed)
    if (outcome.state === 'conflict') {
      return outcome.current === undefined ? outcome : { ...outcome, current: this.#open(outcome.current) }
    }
    return outcome.previous === undefined ? outcome : { ...outcome, previous: this.#open(outcome.previous) }
  }

  watch(request: WatchRequest): AsyncIterable<readonly StoreEvent[]> {
    const events = this.#store.watch(request)[Symbol.asyncIterator]()
    const openBatch = (batch: readonly StoreEvent[]) => batch.map((event) => this.#openEvent(event))
    const iterator = {
      async next(): Promise<IteratorResult<readonly StoreEvent[], undefined>> {
        const next = await events.next()
        return next.done === true ? { done: true, value: undefined } : { done: false, value: openBatch(next.value) }
      },
      async return(): Promise<IteratorResult<readonly StoreEvent[], undefined>> {
        await events.return?.()
        return { done: true, value: undefined }
      },
    }
    return { [Symbol.asyncIterator]: () => iterator }
  }

  compact(to: Revision): Promise<void> {
    return this.#store.compact(to)
  }

  size(): Promise<number> {
    return this.#store.size()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]()
  }

  #isSecret(key: string): boolean {
    return this.#options.prefixes.some((prefix) => key.startsWith(prefix))
  }

  #open(stored: StoredValue): StoredValue {
    if (stored.unreadable !== undefined || !this.#isSecret(stored.key) || !isEnvelope(stored.value)) return stored
    try {
      const { keyring } = this.#options
      return { ...stored, value: openEnvelope(stored.value, { storeKey: stored.key, keyring }) }
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error
      return { ...stored, value: new Uint8Array(0), unreadable: error.message }
    }
  }

  #openEvent(event: StoreEvent): StoreEvent {
    if (event.type === 'delete') return { ...event, previous: this.#open(event.previous) }
    const current = this.#open(event.current)
    if (event.previous === undefined) return { ...event, current }
    return { ...event, current, previous: this.#open(event.previous) }
  }
}
