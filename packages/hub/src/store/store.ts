/**
 * The one interface to durable state, the size of kine's: six verbs and a revision. Semantics of the API
 * (admission, finalizers, field management) live above it; durability and order live below.
 *
 * What every implementation guarantees, and `storeSuite` proves:
 *
 * - One revision counter for all keys. Each successful write gets the next revision; a refused write consumes none.
 * - A write is conditional on the revision of the key it replaces, and atomic. Linearizable per key.
 * - A write resolves only after it is durable (synced). When durability cannot be established the
 *   store is broken: every later write fails with {@link StoreError} `broken`, none is acknowledged.
 * - `list` at a revision sees exactly the state after that revision's write, for every revision not compacted.
 * - A watch delivers every change after its start revision, each once, in order, none split, none missing.
 *   It never delivers what is not yet durable.
 */

declare const revisionBrand: unique symbol
/** Position in the log, from 1. 0 is the state before the first write. */
export type Revision = number & { readonly [revisionBrand]: true }

export function revision(value: number): Revision {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Not a revision: ${value}`)
  return value as Revision
}

/** One version of one key. The bytes belong to the store and are never changed. */
export interface StoredValue {
  readonly key: string
  readonly value: Uint8Array
  /** Of the write that made this version. */
  readonly modRevision: Revision
  /** Of the write that created the key. */
  readonly createRevision: Revision
  /**
   * Why this one value cannot be read (failed checksum, failed decryption, unknown key); `value` is then
   * empty. Present in lists and watches, so that one damaged object never hides the others; `get` throws
   * `corrupt` instead. The key can still be deleted.
   */
  readonly unreadable?: string
}

export type StoreEvent =
  | {
      readonly type: 'put'
      readonly revision: Revision
      readonly current: StoredValue
      readonly previous?: StoredValue
    }
  /** `previous` is the last value; its modRevision is older than `revision`. */
  | { readonly type: 'delete'; readonly revision: Revision; readonly key: string; readonly previous: StoredValue }

export interface WriteRequest {
  readonly key: string
  /** The version that this write replaces; 0 demands that the key does not exist. */
  readonly expected: Revision
  /** Absent deletes the key (then `expected` must not be 0). */
  readonly value?: Uint8Array
}

export type WriteOutcome =
  | { readonly state: 'written'; readonly revision: Revision; readonly previous?: StoredValue }
  /** Nothing was written. `current` is absent when the key does not exist. */
  | { readonly state: 'conflict'; readonly current?: StoredValue }

export interface ListRequest {
  readonly prefix: string
  /** Absent means the newest. Throws `compacted` or `future`. */
  readonly at?: Revision
  /** Keys strictly after this one. */
  readonly after?: string
  readonly limit?: number
}

export interface ListResult {
  /** Ordered bytewise by key. */
  readonly items: readonly StoredValue[]
  /** The state that was read. */
  readonly revision: Revision
  readonly more: boolean
}

export interface WatchRequest {
  readonly prefix: string
  /** Events with a greater revision. May lie in the future. Throws `compacted` when history from here is gone. */
  readonly after: Revision
  readonly signal: AbortSignal
}

/** `full`: no space, reads and deletes go on, retry later. `broken`: durability failed, restart needed. */
export type StoreErrorKind =
  | 'compacted'
  | 'future'
  | 'full'
  | 'broken'
  | 'closed'
  | 'corrupt'
  | 'newer-format'
  | 'locked'
  | 'slow-watcher'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly kind: StoreErrorKind
  /** With `corrupt`: the damaged key, and the revision that a delete of it must expect. */
  readonly key: string | undefined
  readonly revision: Revision | undefined
  constructor(
    kind: StoreErrorKind,
    message: string,
    options?: { readonly cause?: unknown; readonly key?: string; readonly revision?: Revision },
  ) {
    super(message, options)
    this.kind = kind
    this.key = options?.key
    this.revision = options?.revision
  }
}

export interface Store extends AsyncDisposable {
  /** Identity of this store's data, made when it was created: a UUID. */
  readonly id: string
  /** The newest durable revision. */
  revision(): Promise<Revision>
  /** The oldest revision that can still be listed. */
  compactedRevision(): Promise<Revision>
  get(key: string): Promise<StoredValue | undefined>
  list(request: ListRequest): Promise<ListResult>
  write(request: WriteRequest): Promise<WriteOutcome>
  /**
   * Batches of events; the events of one revision are never split over two batches. Ends when `signal`
   * aborts (without an error) and throws `slow-watcher` when the consumer lags beyond the named bound,
   * `compacted` when history is gone. Starting is immediate: an event written after the call is delivered.
   */
  watch(request: WatchRequest): AsyncIterable<readonly StoreEvent[]>
  /** Forgets history before `to`; the state at `to` stays readable. Deleted keys vanish for good. Idempotent. */
  compact(to: Revision): Promise<void>
  /** Bytes on disk (or held), for metrics and alarms. */
  size(): Promise<number>
}
