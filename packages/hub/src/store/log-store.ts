import { BatchQueue, type QueueLimits } from './batch-queue.ts'
import type { Log, LogOutcome } from './log.ts'
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

export interface LogStoreLimits {
  /** Writes in one transaction: bounds how long a commit can take. */
  readonly batchWrites: number
  /** Bytes of values in one transaction. */
  readonly batchBytes: number
  /** Writes that may wait for the next transactions; beyond, a write is refused as `full`. */
  readonly queuedWrites: number
  /** Log entries read at once for a watch that starts in the past. */
  readonly historyEntries: number
  readonly watcher: QueueLimits
}

/** The defaults of {@link LogStoreLimits}. */
export const logStoreLimits: LogStoreLimits = {
  batchWrites: 512,
  batchBytes: 8 * 1024 * 1024,
  queuedWrites: 10_000,
  historyEntries: 500,
  watcher: { maxItems: 50_000, maxBytes: 128 * 1024 * 1024 },
}

/** Four times what the API accepts for one object; guards against a caller that forgot its own limit. */
const MAX_VALUE_BYTES = 6 * 1024 * 1024
/** Longer than any key the API can build (group, plural, namespace and name are at most 253 bytes each). */
const MAX_KEY_LENGTH = 2048

interface QueuedWrite {
  readonly request: WriteRequest
  readonly resolve: (outcome: WriteOutcome) => void
  readonly reject: (error: unknown) => void
}

interface Watcher {
  readonly prefix: string
  readonly after: Revision
  readonly queue: BatchQueue<StoreEvent>
}

/**
 * The store over a {@link Log}: group commit (whatever arrived while the last commit ran goes into one),
 * watches, and the life cycle. The log becomes the store's: disposing the store disposes it.
 */
export function createLogStore(log: Log, limits: Partial<LogStoreLimits> = {}): Store {
  return new LogStore(log, { ...logStoreLimits, ...limits })
}

class LogStore implements Store {
  readonly id: string
  readonly #log: Log
  readonly #limits: LogStoreLimits
  readonly #watchers = new Set<Watcher>()
  readonly #queue: QueuedWrite[] = []
  #revision: Revision
  #compacted: Revision
  #pump: Promise<void> | undefined
  #compaction: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined
  #broken: StoreError | undefined

  constructor(log: Log, limits: LogStoreLimits) {
    this.#log = log
    this.#limits = limits
    this.id = log.opened.id
    this.#revision = log.opened.revision
    this.#compacted = log.opened.compacted
  }

  async revision(): Promise<Revision> {
    this.#assertOpen()
    return this.#revision
  }

  async compactedRevision(): Promise<Revision> {
    this.#assertOpen()
    return this.#compacted
  }

  async get(key: string): Promise<StoredValue | undefined> {
    this.#assertOpen()
    const found = await this.#log.get(key)
    if (found?.unreadable !== undefined) {
      throw new StoreError(
        'corrupt',
        `The value of ${key} cannot be read: ${found.unreadable}. Restore or delete it.`,
        {
          key,
          revision: found.modRevision,
        },
      )
    }
    return found
  }

  async list(request: ListRequest): Promise<ListResult> {
    this.#assertOpen()
    const { at } = request
    if (at !== undefined && at > this.#revision) {
      throw new StoreError('future', `Revision ${at} is ahead of the newest, ${this.#revision}`)
    }
    if (at !== undefined && at < this.#compacted) {
      throw new StoreError('compacted', `Revision ${at} is older than the oldest kept, ${this.#compacted}`)
    }
    return this.#log.list(request)
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    this.#assertOpen()
    if (this.#broken !== undefined) throw this.#broken
    assertValid(request)
    if (this.#queue.length >= this.#limits.queuedWrites) {
      throw new StoreError(
        'full',
        `${this.#queue.length} writes are waiting for the disk, the most allowed. Retry later.`,
      )
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject })
      this.#pump ??= this.#commitQueued()
    })
  }

  watch(request: WatchRequest): AsyncIterable<readonly StoreEvent[]> {
    this.#assertOpen()
    // What is durable now is read from the log when the consumer pulls; what comes later is pushed.
    const known = this.#revision
    let position = request.after
    const watcher: Watcher = {
      prefix: request.prefix,
      after: request.after > known ? request.after : known,
      queue: new BatchQueue({
        limits: this.#limits.watcher,
        signal: request.signal,
        onEnd: () => this.#watchers.delete(watcher),
        prelude: async () => {
          if (position < this.#compacted && position < known) throw historyGone(position, this.#compacted)
          if (position >= known) return undefined
          const { prefix } = request
          const result = await this.#log.changes({
            prefix,
            after: position,
            through: known,
            limit: this.#limits.historyEntries,
          })
          position = result.through
          return result.events
        },
      }),
    }
    if (watcher.queue.isOpen) this.#watchers.add(watcher)
    return watcher.queue
  }

  async compact(to: Revision): Promise<void> {
    this.#assertOpen()
    if (to > this.#revision) throw new StoreError('future', `Revision ${to} is ahead of the newest, ${this.#revision}`)
    // One at a time; each slice leaves room for commits between.
    this.#compaction = this.#compaction.then(() => this.#compactSlices(to))
    const mine = this.#compaction
    this.#compaction = mine.catch(() => undefined) // The caller of that compaction hears of it.
    await mine
  }

  async size(): Promise<number> {
    this.#assertOpen()
    return this.#log.size()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#pump
    await this.#compaction
    const closed = new StoreError('closed', 'The store is closed')
    for (const watcher of this.#watchers) watcher.queue.fail(closed)
    await this.#log[Symbol.asyncDispose]()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'The store is closed')
  }

  async #compactSlices(to: Revision): Promise<void> {
    if (to <= this.#compacted) return
    this.#compacted = to // Before the first slice: history is incomplete from then on.
    while (!(await this.#log.compact(to)));
  }

  async #commitQueued(): Promise<void> {
    await Promise.resolve() // Whatever the present task still writes joins the first batch.
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch()
      try {
        if (this.#broken !== undefined) throw this.#broken
        this.#settle(batch, await this.#log.commit(batch.map((write) => write.request)))
      } catch (error) {
        this.#broken ??= brokenBecause(error)
        for (const write of batch) write.reject(this.#broken)
      }
    }
    this.#pump = undefined
  }

  #takeBatch(): readonly QueuedWrite[] {
    let bytes = 0
    let count = 0
    for (const { request } of this.#queue) {
      bytes += request.value?.byteLength ?? 0
      if (count > 0 && (count >= this.#limits.batchWrites || bytes > this.#limits.batchBytes)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  /** Watchers first: who waits for a write then finds its event already on the way. */
  #settle(batch: readonly QueuedWrite[], outcomes: readonly LogOutcome[]): void {
    const events: StoreEvent[] = []
    for (const [index, { request }] of batch.entries()) {
      const outcome = outcomes[index]
      if (outcome?.state === 'written') events.push(eventOf(request, outcome))
    }
    const last = events.at(-1)
    if (last !== undefined) {
      this.#revision = last.revision
      for (const watcher of this.#watchers) publish(watcher, events)
    }
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[index]
      if (outcome === undefined) reject(new StoreError('broken', 'The log did not say what became of the write'))
      else if (outcome.state === 'refused') reject(new StoreError(outcome.kind, outcome.message))
      else resolve(outcome)
    }
  }
}

function publish({ prefix, after, queue }: Watcher, events: readonly StoreEvent[]): void {
  const isWhole = prefix === '' && (events[0]?.revision ?? 0) > after
  const wanted = isWhole
    ? events
    : events.filter((event) => event.revision > after && keyOfEvent(event).startsWith(prefix))
  let bytes = 0
  for (const event of wanted) bytes += bytesOf(event)
  queue.push(wanted, bytes)
}

const keyOfEvent = (event: StoreEvent): string => (event.type === 'put' ? event.current.key : event.key)

const bytesOf = (event: StoreEvent): number =>
  (event.type === 'put' ? event.current.value.byteLength : 0) + (event.previous?.value.byteLength ?? 0)

function eventOf(request: WriteRequest, outcome: WriteOutcome & { readonly state: 'written' }): StoreEvent {
  const { key, value } = request
  const { revision, previous } = outcome
  if (value === undefined) {
    if (previous === undefined) throw new StoreError('broken', `The log deleted ${key} without knowing what it was`)
    return { type: 'delete', revision, key, previous }
  }
  const createRevision = previous?.createRevision ?? revision
  const current: StoredValue = { key, value, modRevision: revision, createRevision }
  return previous === undefined ? { type: 'put', revision, current } : { type: 'put', revision, current, previous }
}

function assertValid({ key, expected, value }: WriteRequest): void {
  if (key === '' || key.length > MAX_KEY_LENGTH || !key.isWellFormed()) {
    throw new RangeError(`A key has 1 to ${MAX_KEY_LENGTH} characters of well-formed Unicode: ${key.slice(0, 100)}`)
  }
  if (value === undefined && expected === 0) throw new RangeError(`The delete of ${key} must expect a revision`)
  if ((value?.byteLength ?? 0) > MAX_VALUE_BYTES) {
    throw new RangeError(`The value of ${key} has ${value?.byteLength} bytes; at most ${MAX_VALUE_BYTES} can be stored`)
  }
}

function brokenBecause(cause: unknown): StoreError {
  if (cause instanceof StoreError && cause.kind === 'broken') return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StoreError(
    'broken',
    `The last write may not be on disk (${why}). Nothing more is written; check the disk and restart.`,
    { cause },
  )
}

function historyGone(after: Revision, compacted: Revision): StoreError {
  return new StoreError('compacted', `Changes after revision ${after} are gone; the oldest kept is ${compacted}`)
}
