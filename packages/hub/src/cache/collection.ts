import { OrderedMap, type OrderedSnapshot } from '../store/ordered-map.ts'
import type { Revision } from '../store/store.ts'
import type { CacheListRequest, CacheListResult, WatchCacheLimits } from './cache.ts'
import { type CachedVersion, CacheEvent, type IndexOf } from './cached-object.ts'
import { EventWindow } from './event-window.ts'
import { compileMatch, hasSelectors, keyRange } from './match.ts'
import { WatcherGroups } from './watcher-groups.ts'

/** Sorts behind every key that starts with the same prefix. */
const LAST = '\u{10ffff}'

/** All that the cache holds of one resource. */
export class Collection {
  readonly watchers = new WatcherGroups()
  readonly #limits: WatchCacheLimits
  readonly #objects = new OrderedMap<CachedVersion>()
  /** Of lists that go on page by page, by the revision that their first page named. */
  readonly #snapshots = new Map<Revision, OrderedSnapshot<CachedVersion>>()
  #window: EventWindow
  /** The objects are the state of every revision from here to the cache's newest. */
  #changed: Revision

  /** Knows every change after `since`. */
  constructor(since: Revision, limits: WatchCacheLimits) {
    this.#limits = limits
    this.#changed = since
    this.#window = this.#newWindow(since)
  }

  get window(): EventWindow {
    return this.#window
  }

  get(key: string): CachedVersion | undefined {
    return this.#objects.get(key)
  }

  snapshot(): OrderedSnapshot<CachedVersion> {
    return this.#objects.snapshot()
  }

  /** For the first load: no event, no watcher. */
  load(version: CachedVersion): void {
    this.#objects.set(version.key, version)
  }

  /** Reads all index records again. */
  reindex(indexOf: IndexOf): void {
    for (const [, version] of this.#objects.entries('')) version.reindex(indexOf)
  }

  /** Applies a change; its frames wait for `watchers.flush()`. */
  apply(key: string, at: Revision, current: CachedVersion | undefined): CacheEvent | undefined {
    const previous = this.#objects.get(key)
    if (current !== undefined) this.#objects.set(key, current)
    else if (!this.#objects.delete(key)) return undefined
    this.#changed = at
    const event = new CacheEvent({ revision: at, current, previous })
    this.#window.push(event)
    this.watchers.collect(event)
    return event
  }

  /** Begins a new window, after changes were missed. */
  forgetHistory(since: Revision): void {
    this.#changed = since
    this.#window = this.#newWindow(since)
    this.#snapshots.clear()
  }

  /** Undefined when the state at that revision is not here (then the store may still know it). */
  list(request: CacheListRequest, newest: Revision, compacted: Revision): CacheListResult | undefined {
    for (const known of this.#snapshots.keys()) if (known < compacted) this.#snapshots.delete(known)
    const at = request.at ?? newest
    if (at >= this.#changed) return this.#listNow(request, at)
    const snapshot = this.#snapshots.get(at)
    return snapshot === undefined ? undefined : listIn(snapshot, request, at)
  }

  #listNow(request: CacheListRequest, at: Revision): CacheListResult {
    if (request.limit === undefined) return listIn(this.#objects, request, at)
    const known = this.#snapshots.get(at)
    const snapshot = known ?? this.#objects.snapshot()
    const result = listIn(snapshot, request, at)
    if (known === undefined && result.next !== undefined) this.#keep(at, snapshot)
    return result
  }

  #keep(at: Revision, snapshot: OrderedSnapshot<CachedVersion>): void {
    this.#snapshots.set(at, snapshot)
    for (const oldest of this.#snapshots.keys()) {
      if (this.#snapshots.size <= this.#limits.snapshots) return
      this.#snapshots.delete(oldest)
    }
  }

  #newWindow(since: Revision): EventWindow {
    return new EventWindow(since, { events: this.#limits.windowEvents, bytes: this.#limits.windowBytes })
  }
}

/** What a list needs of the tree or of a snapshot. */
interface Listable {
  get(key: string): CachedVersion | undefined
  entries(from: string, exclusive?: boolean): IterableIterator<readonly [string, CachedVersion]>
  rank(key: string, inclusive?: boolean): number
}

function listIn(objects: Listable, request: CacheListRequest, at: Revision): CacheListResult {
  const { prefix, match, after, limit } = request
  const range = keyRange(prefix, match)
  if (match.namespace !== undefined && match.name !== undefined) {
    const found = objects.get(`${range}${match.name}`)
    const isWanted = found !== undefined && (after === undefined || found.key > after)
    return { items: isWanted && compileMatch(match)(found.index) ? [found.assertReadable()] : [], revision: at }
  }
  const matches = compileMatch(match)
  const items: CachedVersion[] = []
  const isResumed = after !== undefined && after >= range
  for (const [key, object] of objects.entries(isResumed ? after : range, isResumed)) {
    if (!key.startsWith(range)) break
    if (limit !== undefined && items.length >= limit) {
      const next = items.at(-1)?.key ?? key
      if (hasSelectors(match) || match.name !== undefined) return { items, revision: at, next }
      return { items, revision: at, next, remaining: objects.rank(`${range}${LAST}`) - objects.rank(next, true) }
    }
    if (matches(object.assertReadable().index)) items.push(object)
  }
  return { items, revision: at }
}
