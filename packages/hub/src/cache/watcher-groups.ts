import type { BatchQueue } from '../store/batch-queue.ts'
import type { Revision } from '../store/store.ts'
import type { CachedObject, Match, WatchFrame } from './cache.ts'
import type { CacheEvent } from './cached-object.ts'
import { compileMatch, matchKey, type Predicate } from './match.ts'

/** A watcher of one resource. */
export interface Watcher {
  readonly match: Match
  /** Frames up to here are not for it: it listed them, or asked for a start in the future. */
  readonly after: Revision
  readonly queue: BatchQueue<WatchFrame>
}

/** Watchers with the same match: one evaluation and one array of frames for all. */
interface Group {
  readonly key: string
  readonly bucket: string
  readonly matches: Predicate
  readonly watchers: Set<Watcher>
  frames: WatchFrame[]
  bytes: number
}

/** Separates namespace and name in a bucket; neither can hold it. */
const SEPARATOR = '\n'
/** In place of a namespace or name: all of them. */
const ANY = '\t'

/**
 * The watchers of one resource. Grouped by match, and the groups bucketed by namespace and name, so that
 * an event costs nothing for watchers that look elsewhere.
 */
export class WatcherGroups {
  readonly #groups = new Map<string, Group>()
  readonly #buckets = new Map<string, Set<Group>>()
  readonly #touched = new Set<Group>()

  get size(): number {
    let size = 0
    for (const group of this.#groups.values()) size += group.watchers.size
    return size
  }

  add(watcher: Watcher): void {
    const key = matchKey(watcher.match)
    const known = this.#groups.get(key)
    const group = known ?? newGroup(key, watcher.match)
    group.watchers.add(watcher)
    if (known !== undefined) return
    this.#groups.set(key, group)
    const bucket = this.#buckets.get(group.bucket)
    if (bucket === undefined) this.#buckets.set(group.bucket, new Set([group]))
    else bucket.add(group)
  }

  remove(watcher: Watcher): void {
    const group = this.#groups.get(matchKey(watcher.match))
    if (group === undefined || !group.watchers.delete(watcher) || group.watchers.size > 0) return
    this.#groups.delete(group.key)
    const bucket = this.#buckets.get(group.bucket)
    bucket?.delete(group)
    if (bucket?.size === 0) this.#buckets.delete(group.bucket)
  }

  /** Collects the frames of an event; they go out with {@link flush}. */
  collect(event: CacheEvent): void {
    if (this.#groups.size === 0) return
    const index = event.current?.index ?? event.previous?.index
    if (index === undefined) return
    const { namespace, name } = index
    this.#collectIn(`${ANY}${SEPARATOR}${ANY}`, event)
    this.#collectIn(`${namespace}${SEPARATOR}${ANY}`, event)
    this.#collectIn(`${ANY}${SEPARATOR}${name}`, event)
    this.#collectIn(`${namespace}${SEPARATOR}${name}`, event)
  }

  /** Hands each watcher what was collected. All watchers of a group get the same array. */
  flush(): void {
    for (const group of this.#touched) {
      const { frames, bytes } = group
      group.frames = []
      group.bytes = 0
      const first = frames[0]?.revision ?? 0
      for (const { after, queue } of group.watchers) {
        queue.push(first > after ? frames : frames.filter((frame) => frame.revision > after), bytes)
      }
    }
    this.#touched.clear()
  }

  all(): readonly Watcher[] {
    return [...this.#groups.values()].flatMap((group) => [...group.watchers])
  }

  #collectIn(bucket: string, event: CacheEvent): void {
    const groups = this.#buckets.get(bucket)
    if (groups === undefined) return
    for (const group of groups) {
      const frame = frameFor(event, group.matches)
      if (frame === undefined) continue
      group.frames.push(frame)
      group.bytes += bytesOf(frame)
      this.#touched.add(group)
    }
  }
}

function newGroup(key: string, match: Match): Group {
  const bucket = `${match.namespace ?? ANY}${SEPARATOR}${match.name ?? ANY}`
  return { key, bucket, matches: compileMatch(match), watchers: new Set(), frames: [], bytes: 0 }
}

/** What a watcher with this selection is told of the event. Unreadable states are never shown, only that they went. */
export function frameFor(event: CacheEvent, matches: Predicate): WatchFrame | undefined {
  return event.frame(sees(event.previous, matches), sees(event.current, matches))
}

function sees(
  object: (CachedObject & { readonly unreadable: string | undefined }) | undefined,
  matches: Predicate,
): boolean {
  return object !== undefined && object.unreadable === undefined && matches(object.index)
}

/** Bytes of the object that a frame carries. */
export function bytesOf(frame: WatchFrame): number {
  return frame.type === 'BOOKMARK' ? 0 : frame.object.bytes.byteLength
}
