import {
  type Revision,
  revision,
  type Store,
  StoreError,
  type StoreEvent,
  type WriteOutcome,
  type WriteRequest,
} from '../store/store.ts'
import type {
  CachedObject,
  CacheListRequest,
  CacheListResult,
  CacheWatchRequest,
  WatchCache,
  WatchCacheLimits,
  WatchCacheOptions,
  WatchFrame,
} from './cache.ts'
import { openWatch } from './cache-watch.ts'
import { CachedVersion, type CacheEvent } from './cached-object.ts'
import { Collection } from './collection.ts'
import { listFromStore } from './historical-list.ts'
import { RevisionWaiters } from './revision-waiters.ts'
import { frameFor } from './watcher-groups.ts'

/** The defaults of {@link WatchCacheLimits}. */
export const watchCacheLimits: WatchCacheLimits = {
  windowEvents: 10_000,
  windowBytes: 64 * 1024 * 1024,
  watcherFrames: 20_000,
  watcherBytes: 32 * 1024 * 1024,
  snapshots: 64,
  bookmarkMs: 60_000,
  replayRevisions: 10_000,
}

/** Objects read from the store at once while loading. */
const LOAD_PAGE = 1000
/** Loads that may lose the race against compaction before the error is shown. */
const LOAD_ATTEMPTS = 3

interface Observer {
  readonly prefix: string
  readonly listener: (frames: readonly WatchFrame[]) => void
}

/**
 * Loads the store and follows it. Resolves when everything durable at the time of the call is visible.
 * The store stays the caller's; the cache must be disposed before it.
 */
export async function createWatchCache(store: Store, options: WatchCacheOptions): Promise<WatchCache> {
  const cache = new StoreCache(store, options)
  await cache.open()
  return cache
}

class StoreCache implements WatchCache {
  readonly #store: Store
  readonly #options: WatchCacheOptions
  readonly #limits: WatchCacheLimits
  readonly #collections = new Map<string, Collection>()
  readonly #observers = new Set<Observer>()
  readonly #waiters: RevisionWaiters
  readonly #closing = new AbortController()
  #following: Promise<void> = Promise.resolve()
  #since = revision(0)
  #revision = revision(0)
  #failure: unknown

  constructor(store: Store, options: WatchCacheOptions) {
    this.#store = store
    this.#options = options
    this.#limits = { ...watchCacheLimits, ...options.limits }
    this.#waiters = new RevisionWaiters(options.clock)
  }

  async open(): Promise<void> {
    const newest = await this.#store.revision()
    const compacted = await this.#store.compactedRevision()
    // A little back in history: its events fill the windows, so that clients resume after a restart.
    const base = revision(Math.max(compacted, newest - this.#limits.replayRevisions))
    await this.#load(base)
    this.#following = this.#follow()
    await this.#visible(newest)
  }

  get revision(): Revision {
    return this.#revision
  }

  async waitFor(wanted: Revision, timeoutMs: number): Promise<void> {
    this.#assertRunning()
    if (wanted > this.#revision) await this.#waiters.wait(wanted, timeoutMs)
  }

  get(key: string): CachedObject | undefined {
    this.#assertRunning()
    return this.#collections.get(resourceOf(key))?.get(key)?.assertReadable()
  }

  async list(request: CacheListRequest): Promise<CacheListResult> {
    this.#assertRunning()
    const { at } = request
    if (at === undefined) return this.#listNow(request)
    if (at > this.#revision) throw new StoreError('future', `Revision ${at} is ahead of the newest, ${this.#revision}`)
    const compacted = await this.#store.compactedRevision()
    if (at < compacted) throw new StoreError('compacted', `Revision ${at} is older than the oldest kept, ${compacted}`)
    const held = this.#collection(request.prefix).list(request, this.#revision, compacted)
    return held ?? listFromStore(this.#store, request, this.#options.indexOf)
  }

  watch(request: CacheWatchRequest): AsyncIterable<readonly WatchFrame[]> {
    this.#assertRunning()
    return openWatch({
      request,
      collection: this.#collection(request.prefix),
      newest: () => this.#revision,
      clock: this.#options.clock,
      random: this.#options.random,
      limits: this.#limits,
    })
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    this.#assertRunning()
    const outcome = await this.#store.write(request)
    try {
      if (outcome.state === 'written') await this.#visible(outcome.revision)
      // Whoever retries after a conflict must not read the same stale state again.
      else await this.#visible(outcome.current?.modRevision ?? (await this.#store.revision()))
    } catch (error) {
      // The cache ended meanwhile and shows nothing any more; what became of the write is known nevertheless.
      if (this.#failure === undefined) throw error
    }
    return outcome
  }

  reindex(prefix: string): void {
    this.#collection(prefix).reindex(this.#options.indexOf)
  }

  observe(prefix: string, listener: (frames: readonly WatchFrame[]) => void): Disposable {
    this.#assertRunning()
    const observer: Observer = { prefix, listener }
    this.#observers.add(observer)
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#following
    this.#fail(new StoreError('closed', 'The cache is closed'))
  }

  #listNow(request: CacheListRequest): CacheListResult {
    const result = this.#collection(request.prefix).list(request, this.#revision, revision(0))
    if (result === undefined) throw new RangeError('The newest state is always held')
    return result
  }

  async #visible(wanted: Revision): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (wanted > this.#revision) await this.#waiters.wait(wanted)
  }

  #assertRunning(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #collection(prefix: string): Collection {
    const known = this.#collections.get(prefix)
    if (known !== undefined) return known
    if (resourceOf(prefix) !== prefix) throw new RangeError(`Not the prefix of a resource: ${prefix}`)
    const created = new Collection(this.#since, this.#limits)
    this.#collections.set(prefix, created)
    return created
  }

  async #load(base: Revision): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const version of this.#versions(base)) this.#collection(resourceOf(version.key)).load(version)
        this.#revision = base
        for (const collection of this.#collections.values()) collection.forgetHistory(base)
        this.#since = base
        return
      } catch (error) {
        if (!isKind(error, 'compacted') || attempt === LOAD_ATTEMPTS) throw error
        this.#collections.clear()
        base = await this.#store.revision()
      }
    }
  }

  async *#versions(at: Revision): AsyncIterable<CachedVersion> {
    let after: string | undefined
    for (;;) {
      const page = await this.#store.list({
        prefix: '',
        at,
        limit: LOAD_PAGE,
        ...(after === undefined ? {} : { after }),
      })
      for (const value of page.items) yield CachedVersion.of(value, this.#options.indexOf)
      after = page.items.at(-1)?.key
      if (!page.more || after === undefined) return
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        for await (const batch of this.#store.watch({ prefix: '', after: this.#revision, signal })) this.#apply(batch)
        if (!signal.aborted) throw new StoreError('closed', 'The store ended the watch of the cache')
      } catch (error) {
        // Behind by more than the store buffers: its log still has what was missed, or a reload finds it.
        if (isKind(error, 'slow-watcher')) continue
        try {
          if (!isKind(error, 'compacted')) throw error
          await this.#reload()
        } catch (failure) {
          this.#fail(failure)
          return
        }
      }
    }
  }

  /** Synchronous, so that nobody ever sees half a batch. */
  #apply(batch: readonly StoreEvent[]): void {
    const touched = new Set<Collection>()
    const applied: CacheEvent[] = []
    for (const event of batch) {
      const key = event.type === 'put' ? event.current.key : event.key
      const collection = this.#collection(resourceOf(key))
      const current = event.type === 'put' ? CachedVersion.of(event.current, this.#options.indexOf) : undefined
      const change = collection.apply(key, event.revision, current)
      touched.add(collection)
      if (change !== undefined) applied.push(change)
    }
    const last = batch.at(-1)
    if (last !== undefined) this.#revision = last.revision
    for (const collection of touched) collection.watchers.flush()
    this.#notify(applied)
    this.#waiters.reached(this.#revision)
  }

  #notify(events: readonly CacheEvent[]): void {
    for (const { prefix, listener } of this.#observers) {
      const frames = events
        .filter((event) => event.key.startsWith(prefix))
        .map((event) => frameFor(event, () => true))
        .filter((frame) => frame !== undefined)
      if (frames.length > 0) listener(frames)
    }
  }

  /** After missed history: takes the newest state, tells observers the difference, ends all watches. */
  async #reload(): Promise<void> {
    const at = await this.#store.revision()
    const fresh = new Map<string, CachedVersion>()
    for await (const version of this.#versions(at)) fresh.set(version.key, version)
    const applied: (CacheEvent | undefined)[] = []
    const gone = new StoreError('compacted', 'The watch cache had to be reloaded: list again')
    for (const collection of this.#collections.values()) {
      for (const watcher of collection.watchers.all()) watcher.queue.fail(gone)
      for (const [key] of collection.snapshot().entries(''))
        if (!fresh.has(key)) applied.push(collection.apply(key, at, undefined))
    }
    for (const [key, version] of fresh) {
      const collection = this.#collection(resourceOf(key))
      if (collection.get(key)?.revision !== version.revision)
        applied.push(collection.apply(key, version.revision, version))
    }
    for (const collection of this.#collections.values()) collection.forgetHistory(at)
    this.#since = at
    this.#revision = at
    this.#notify(applied.filter((event) => event !== undefined))
    this.#waiters.reached(at)
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    for (const collection of this.#collections.values()) {
      for (const watcher of collection.watchers.all()) watcher.queue.fail(error)
    }
    this.#waiters.fail(error)
  }
}

const isKind = (error: unknown, kind: StoreError['kind']): boolean => error instanceof StoreError && error.kind === kind

/** `/<group>/<plural>/` of a key. */
function resourceOf(key: string): string {
  const end = key.indexOf('/', key.indexOf('/', 1) + 1)
  return end === -1 ? key : key.slice(0, end + 1)
}
