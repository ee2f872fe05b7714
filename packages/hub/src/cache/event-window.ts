import type { Revision } from '../store/store.ts'
import type { CacheEvent } from './cached-object.ts'

export interface WindowLimits {
  readonly events: number
  readonly bytes: number
}

/** Dead slots at the front that are worth a copy of the array. */
const TRIM = 1024

/** The newest events of one resource, so that a watch can resume without a new list. */
export class EventWindow {
  readonly #limits: WindowLimits
  #events: (CacheEvent | undefined)[] = []
  #first = 0
  #bytes = 0
  #start: Revision

  constructor(start: Revision, limits: WindowLimits) {
    this.#start = start
    this.#limits = limits
  }

  /** Everything after this revision is here. */
  get start(): Revision {
    return this.#start
  }

  get length(): number {
    return this.#events.length - this.#first
  }

  push(event: CacheEvent): void {
    this.#events.push(event)
    this.#bytes += event.heldBytes
    while (this.length > this.#limits.events || (this.#bytes > this.#limits.bytes && this.length > 1)) this.#drop()
    if (this.#first < TRIM || this.#first * 2 < this.#events.length) return
    this.#events = this.#events.slice(this.#first)
    this.#first = 0
  }

  /** In order, after `after`, which must not lie before {@link start}. */
  after(after: Revision): readonly CacheEvent[] {
    let low = this.#first
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle]?.revision ?? 0) <= after) low = middle + 1
      else high = middle
    }
    return this.#events.slice(low).filter((event) => event !== undefined)
  }

  #drop(): void {
    const event = this.#events[this.#first]
    this.#events[this.#first] = undefined
    this.#first++
    if (event === undefined) return
    this.#bytes -= event.heldBytes
    this.#start = event.revision
  }
}
