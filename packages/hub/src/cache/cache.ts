import type { Clock, LabelSelector, Random } from '@orrery/api'
import type { Revision, WriteOutcome, WriteRequest } from '../store/store.ts'

/**
 * The watch cache: all current objects in memory as pre-serialized bytes with a flat index record,
 * a ring of recent events, and snapshots for paging. It follows the store by one watch. Reads are
 * answered here; writes go through it, so that whoever wrote sees the own write in the next read.
 *
 * Keys are `/<group or "core">/<plural>/<namespace or "">/<name>`; a resource is the prefix `/<group>/<plural>/`.
 */

/** What selectors, garbage collection and paging need to know of an object without parsing it. */
export interface IndexRecord {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>> | undefined
  /** Selectable fields beside metadata.name and metadata.namespace, e.g. `involvedObject.name`. */
  readonly fields: Readonly<Record<string, string>> | undefined
}

export interface CachedObject {
  readonly key: string
  readonly revision: Revision
  readonly createRevision: Revision
  /** The stored JSON, without `resourceVersion`. */
  readonly stored: Uint8Array
  /** The JSON as served, `metadata.resourceVersion` included. Encoded once. */
  readonly bytes: Uint8Array
  readonly index: IndexRecord
}

/** Decides which objects a list or a watch sees. Compiled once per request. */
export interface Match {
  /** A namespace, or undefined for all. */
  readonly namespace?: string
  readonly name?: string
  readonly labels?: LabelSelector
  readonly fields?: readonly { readonly path: string; readonly operator: '=' | '!='; readonly value: string }[]
}

export interface CacheListRequest {
  /** `/<group>/<plural>/`. */
  readonly prefix: string
  readonly match: Match
  /** Exactly this revision; else the newest. Throws `StoreError` compacted or future. */
  readonly at?: Revision
  /** Keys strictly after this. */
  readonly after?: string
  readonly limit?: number
}

export interface CacheListResult {
  readonly items: readonly CachedObject[]
  readonly revision: Revision
  /** The last key looked at, when there is more. */
  readonly next?: string
  /** Known only without selectors. */
  readonly remaining?: number
}

/** As a watcher with a selector sees it: leaving the selection is DELETED with the last matching state. */
export type WatchFrame =
  | { readonly type: 'ADDED' | 'MODIFIED'; readonly object: CachedObject; readonly revision: Revision }
  /**
   * `object` is the final (or last matching) state. It is served with `revision` as its resourceVersion:
   * `object.revision` and `object.bytes` already say so.
   */
  | { readonly type: 'DELETED'; readonly object: CachedObject; readonly revision: Revision }
  /** Everything up to `revision` has been delivered. */
  | { readonly type: 'BOOKMARK'; readonly revision: Revision; readonly initialEventsEnd?: boolean }

export interface CacheWatchRequest {
  readonly prefix: string
  readonly match: Match
  /** Changes after this revision; `initial` first lists the current objects as ADDED. */
  readonly start: { readonly after: Revision } | { readonly initial: true }
  /** Periodic bookmarks, and the initial-events-end mark when starting with `initial`. */
  readonly bookmarks: boolean
  /** Milliseconds until the caller ends this watch; one more bookmark is then sent 2 seconds before. */
  readonly endsInMs?: number
  readonly signal: AbortSignal
}

export interface WatchCache extends AsyncDisposable {
  /** The newest revision whose effects are visible here. */
  readonly revision: Revision
  /** Waits until `revision` is visible, or throws `StoreError` `future` after `timeoutMs`. */
  waitFor(revision: Revision, timeoutMs: number): Promise<void>
  /** Throws `StoreError` `corrupt`, naming the key, when the stored value cannot be read. */
  get(key: string): CachedObject | undefined
  /** Throws `StoreError` `corrupt`, naming the key, when a value in the range cannot be read. */
  list(request: CacheListRequest): Promise<CacheListResult>
  /**
   * Batches of frames. Throws `StoreError` `compacted` when the window no longer reaches back, and
   * `slow-watcher` when this watcher lags beyond its bound (count and bytes): it alone is ended.
   */
  watch(request: CacheWatchRequest): AsyncIterable<readonly WatchFrame[]>
  /** Writes to the store and resolves once the cache shows the result. */
  write(request: WriteRequest): Promise<WriteOutcome>
  /** Reads the index records of a resource again, because `indexOf` now sees other fields in them. Synchronous. */
  reindex(prefix: string): void
  /** Calls back synchronously after each applied batch, for registries that index objects (CRDs, namespaces). */
  observe(prefix: string, listener: (frames: readonly WatchFrame[]) => void): Disposable
}

export interface WatchCacheOptions {
  /** Reads the index record out of stored bytes, once per version. Must not throw for any stored bytes. */
  readonly indexOf: (key: string, stored: Uint8Array) => IndexRecord
  readonly clock: Clock
  readonly random: Random
  readonly limits?: Partial<WatchCacheLimits>
}

/** Each bound by name; the defaults are `watchCacheLimits`. */
export interface WatchCacheLimits {
  /** Events kept per resource for watches that resume. */
  readonly windowEvents: number
  /** Bytes of object versions kept per resource for the same. */
  readonly windowBytes: number
  /** Frames that may wait for one watcher. */
  readonly watcherFrames: number
  /** Bytes of the objects in frames that may wait for one watcher. */
  readonly watcherBytes: number
  /** Snapshots kept per resource for lists that go on page by page. */
  readonly snapshots: number
  /** Longest time between two bookmarks; the shortest is three quarters of it. */
  readonly bookmarkMs: number
  /** Newest part of the store's history that is replayed at start, so that watches resume over a restart. */
  readonly replayRevisions: number
}
