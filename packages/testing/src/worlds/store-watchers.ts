import { revision, StoreError, type StoreEvent, type WatchFrame } from '@orrery/hub/store'
import type { Simulation } from '../simulation.ts'
import type { RecordedWatch, WatchedEvent, WatchItem } from '../watch-checks.ts'
import type { Incarnation, StoreProcess } from './store-process.ts'

const PREFIX = '/core/things/'
/** Pause before a watch is opened again. */
const RETRY_MS = 50
/** How far in the future a watch may start. */
const FUTURE = 20

const textOf = (value: Uint8Array): string => Buffer.from(value).toString()

/** A store's event in the words of the checks. */
export function watchedEvent(event: StoreEvent): WatchedEvent {
  const previous = event.previous === undefined ? {} : { previous: textOf(event.previous.value) }
  if (event.type === 'delete') return { revision: event.revision, key: event.key, isCreate: false, ...previous }
  const { key, value, createRevision, modRevision } = event.current
  return { revision: event.revision, key, value: textOf(value), isCreate: createRevision === modRevision, ...previous }
}

/** Follows everything from the beginning, over all restarts: what it saw is the history. */
export class Witness {
  readonly #simulation: Simulation
  readonly #process: StoreProcess
  readonly #history: WatchedEvent[] = []

  constructor(simulation: Simulation, process: StoreProcess) {
    this.#simulation = simulation
    this.#process = process
  }

  get history(): readonly WatchedEvent[] {
    return this.#history
  }

  get revision(): number {
    return this.#history.at(-1)?.revision ?? 0
  }

  async run(): Promise<void> {
    while (!this.#process.isOver) {
      await this.#process.attempt(({ store, ended }) => this.#follow({ store, ended }))
      await this.#simulation.sleep(RETRY_MS)
    }
  }

  async #follow({ store, ended }: Pick<Incarnation, 'store' | 'ended'>): Promise<void> {
    const newest = await store.revision()
    this.#simulation.always(
      newest >= this.revision,
      `a revision is never lost: ${this.revision} was seen, ${newest} is the newest`,
    )
    for await (const batch of store.watch({ prefix: '', after: revision(this.revision), signal: ended })) {
      for (const event of batch) {
        if (event.revision <= this.revision) continue // The watchers under test report what comes twice.
        this.#simulation.always(
          event.revision === this.revision + 1,
          `each write has the next revision: ${event.revision}`,
        )
        this.#history.push(watchedEvent(event))
        this.#simulation.trace(`event ${event.revision} ${event.type}`)
      }
    }
  }
}

/** One watch after another, each resuming where the last ended, or beginning somewhere else. */
abstract class Watcher {
  readonly name: string
  readonly recorded: RecordedWatch[] = []
  protected readonly simulation: Simulation
  protected readonly process: StoreProcess
  protected position = 0
  protected readonly hasPrevious: boolean = true

  constructor(simulation: Simulation, process: StoreProcess, index: number) {
    this.simulation = simulation
    this.process = process
    this.name = String(index)
  }

  async run(): Promise<void> {
    while (!this.process.isOver) {
      await this.process.attempt((incarnation) => this.#watch(incarnation))
      await this.simulation.sleep(RETRY_MS)
    }
  }

  /** Whether it has delivered, or a bookmark promised, everything up to `newest`. */
  caughtUp(newest: number, history: readonly WatchedEvent[]): boolean {
    const last = history.findLast((event) => event.revision <= newest && event.key.startsWith(PREFIX))
    return this.position >= (last?.revision ?? 0)
  }

  protected abstract open(
    incarnation: Incarnation,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly WatchItem[]>

  async #watch(incarnation: Incarnation): Promise<void> {
    const { random } = this.simulation
    const newest = await incarnation.store.revision()
    if (this.simulation.phase === 'safety') {
      if (random.chance(0.1)) this.position = Math.max(0, newest - random.integer(0, 100))
      if (random.chance(0.1)) {
        this.position = newest + random.integer(1, FUTURE)
        this.simulation.sometimes('watch from the future')
      }
    } else if (this.position > newest) this.position = newest
    const stop = new AbortController()
    const timer = this.simulation.clock.schedule(random.next() * 6000, () => stop.abort())
    const batches: (readonly WatchItem[])[] = []
    this.recorded.push({
      name: this.name,
      prefix: PREFIX,
      after: this.position,
      batches,
      hasPrevious: this.hasPrevious,
    })
    try {
      for await (const batch of this.open(
        incarnation,
        this.position,
        AbortSignal.any([incarnation.ended, stop.signal]),
      )) {
        batches.push(batch)
        for (const item of batch) this.position = item.type === 'event' ? item.event.revision : item.revision
        if (random.chance(0.1)) await this.simulation.sleep(random.next() * 300)
      }
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'compacted') throw error
      this.simulation.sometimes('compacted')
      this.position = await incarnation.store.revision()
    } finally {
      timer[Symbol.dispose]()
    }
  }
}

export class StoreWatcher extends Watcher {
  protected override async *open(
    { store }: Incarnation,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly WatchItem[]> {
    for await (const batch of store.watch({ prefix: PREFIX, after: revision(after), signal })) {
      yield batch.map((event) => ({ type: 'event', event: watchedEvent(event) }))
    }
  }
}

export class CacheWatcher extends Watcher {
  protected override readonly hasPrevious = false

  protected override async *open(
    { cache }: Incarnation,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly WatchItem[]> {
    const request = { prefix: PREFIX, match: {}, start: { after: revision(after) }, bookmarks: true, signal }
    for await (const batch of cache.watch(request)) yield batch.map((frame) => this.#itemOf(frame))
  }

  #itemOf(frame: WatchFrame): WatchItem {
    if (frame.type === 'BOOKMARK') {
      this.simulation.sometimes('bookmark')
      return { type: 'bookmark', revision: frame.revision }
    }
    const { key, stored } = frame.object
    const event = { revision: frame.revision, key, isCreate: frame.type === 'ADDED' }
    return { type: 'event', event: frame.type === 'DELETED' ? event : { ...event, value: textOf(stored) } }
  }
}
