import type { Clock, Random } from '@orrery/api'
import { BatchQueue } from '../store/batch-queue.ts'
import { type Revision, StoreError } from '../store/store.ts'
import type { CacheWatchRequest, WatchCacheLimits, WatchFrame } from './cache.ts'
import type { CachedVersion } from './cached-object.ts'
import type { Collection } from './collection.ts'
import { compileMatch, keyRange } from './match.ts'
import { frameFor, type Watcher } from './watcher-groups.ts'

/** Objects in one batch of a watch's initial list. */
const INITIAL_BATCH = 500
/** How long before its known end a watch gets a last bookmark. */
const LAST_BOOKMARK_MS = 2000

export interface OpenWatch {
  readonly request: CacheWatchRequest
  readonly collection: Collection
  /** The newest revision that the cache shows, now and later. */
  readonly newest: () => Revision
  readonly clock: Clock
  readonly random: Random
  readonly limits: WatchCacheLimits
}

/** Registers a watcher at once; what precedes the live frames is produced as it is pulled. */
export function openWatch(open: OpenWatch): AsyncIterable<readonly WatchFrame[]> {
  const { request, collection, limits } = open
  const known = open.newest()
  const { start } = request
  const after = 'after' in start && start.after > known ? start.after : known
  const bookmarks = new Bookmarks(open, after)
  const queue = new BatchQueue<WatchFrame>({
    limits: { maxItems: limits.watcherFrames, maxBytes: limits.watcherBytes },
    signal: request.signal,
    prelude: 'after' in start ? replay(open, start.after) : initial(open, known),
    onEnd: () => {
      collection.watchers.remove(watcher)
      bookmarks[Symbol.dispose]()
    },
  })
  const watcher: Watcher = { match: request.match, after, queue }
  if (!queue.isOpen) return queue
  collection.watchers.add(watcher)
  if (request.bookmarks) bookmarks.start(queue)
  return queue
}

type Prelude = () => Promise<readonly WatchFrame[] | undefined>

/** The events in the window after `after`, all at once: they are shared and already there. */
function replay({ request, collection }: OpenWatch, after: Revision): Prelude {
  const { window } = collection
  const events = after < window.start ? undefined : window.after(after)
  let isDone = false
  return async () => {
    if (events === undefined) {
      throw new StoreError('compacted', `too old resource version: ${after} (${window.start})`)
    }
    if (isDone) return undefined
    isDone = true
    const matches = compileMatch(request.match)
    return events.map((event) => frameFor(event, matches)).filter((frame) => frame !== undefined)
  }
}

/** The current objects as ADDED, batch by batch out of a snapshot, then the mark that they are all there. */
function initial({ request, collection }: OpenWatch, known: Revision): Prelude {
  const matches = compileMatch(request.match)
  const range = keyRange(request.prefix, request.match)
  const entries = collection.snapshot().entries(range)
  let state: 'listing' | 'listed' | 'done' = 'listing'
  return async () => {
    if (state === 'listing') {
      const batch: WatchFrame[] = []
      while (batch.length < INITIAL_BATCH) {
        const object = nextIn(entries, range)
        if (object === undefined) {
          state = 'listed'
          break
        }
        if (matches(object.assertReadable().index)) batch.push({ type: 'ADDED', object, revision: object.revision })
      }
      return batch
    }
    if (state === 'done' || !request.bookmarks) return undefined
    state = 'done'
    return [{ type: 'BOOKMARK', revision: known, initialEventsEnd: true }]
  }
}

function nextIn(entries: Iterator<readonly [string, CachedVersion]>, range: string): CachedVersion | undefined {
  const next = entries.next()
  if (next.done === true || !next.value[0].startsWith(range)) return undefined
  return next.value[1]
}

/** The periodic bookmarks of one watcher, and the last one before its known end. */
class Bookmarks {
  readonly #open: OpenWatch
  readonly #after: Revision
  #timer: Disposable | undefined
  #last: Disposable | undefined

  constructor(open: OpenWatch, after: Revision) {
    this.#open = open
    this.#after = after
  }

  start(queue: BatchQueue<WatchFrame>): void {
    const { clock, request } = this.#open
    this.#schedule(queue)
    if (request.endsInMs === undefined || request.endsInMs <= LAST_BOOKMARK_MS) return
    this.#last = clock.schedule(request.endsInMs - LAST_BOOKMARK_MS, () => this.#send(queue))
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#last?.[Symbol.dispose]()
  }

  #schedule(queue: BatchQueue<WatchFrame>): void {
    const { clock, random, limits } = this.#open
    // Spread over a quarter of the time, so that many watches do not wake their clients together.
    this.#timer = clock.schedule(limits.bookmarkMs * (0.75 + random.next() / 4), () => {
      this.#send(queue)
      if (queue.isOpen) this.#schedule(queue)
    })
  }

  /** Behind all frames up to this revision in the queue, so it promises no more than was delivered. */
  #send(queue: BatchQueue<WatchFrame>): void {
    const revision = this.#open.newest()
    if (revision >= this.#after) queue.push([{ type: 'BOOKMARK', revision }], 0)
  }
}
