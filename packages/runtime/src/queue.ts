import type { Clock, Random } from '@orrery/api'
import { DueHeap } from './due-heap.ts'
import { Fifo } from './fifo.ts'

/** Twice the objects one hub promises to hold; beyond it the controller reads its keys from the informer again. */
export const MAX_KEYS = 200_000
/** Every this many takes the lanes are served from the least urgent one up, so that none starves. */
export const STARVATION_BOUND = 16
/** From this many failures in a row a key is in quarantine: it may use a quarter of the workers at most. */
export const QUARANTINE_FAILURES = 5
/** A change of a failing object is tried this long after the failure even while its back-off is longer: somebody may have mended it. */
export const CHANGE_DURING_BACKOFF_MS = 1_000
export const DEFAULT_BACKOFF: Backoff = { baseMs: 100, maxMs: 600_000 }

export interface Backoff {
  readonly baseMs: number
  readonly maxMs: number
}

export type Priority = 'change' | 'resync'

/** What a worker takes. It must answer with `succeed` or `fail`. */
export interface Work {
  readonly key: string
  /** 1 for the first try after a success. */
  readonly attempt: number
  /** The most urgent reason the key was added for. */
  readonly priority: Priority
  /** From the moment it was due until now. */
  readonly waitedMs: number
}

export interface QueueOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  /** Workers that take from the queue. */
  readonly concurrency: number
  /** Called when there may be something to take. */
  readonly onReady: () => void
  readonly maxKeys?: number
}

interface Request {
  readonly priority: Priority
  readonly dueMono: number
}

interface Entry {
  readonly key: string
  state: 'delayed' | 'ready' | 'working'
  priority: Priority
  dueMono: number
  failures: number
  failedMono: number
  /** Distinguishes this place in a lane or the heap from places the entry has left. */
  ticket: number
  /** What arrived while the key was in work. */
  again: Request | undefined
}

interface Place {
  readonly entry: Entry
  readonly ticket: number
  readonly dueMono: number
}

type Lane = Priority | 'quarantine'
const URGENT_FIRST: readonly Lane[] = ['change', 'resync', 'quarantine']
const PATIENT_FIRST: readonly Lane[] = ['quarantine', 'resync', 'change']

/**
 * Keys that need work. A key is here once however often it was added, and never with two workers: what is
 * added while it is in work is taken up afterwards. Failed keys back off alone.
 */
export class WorkQueue {
  readonly #options: Required<QueueOptions>
  readonly #entries = new Map<string, Entry>()
  readonly #lanes: Readonly<Record<Lane, Fifo<Place>>> = {
    change: new Fifo(),
    resync: new Fifo(),
    quarantine: new Fifo(),
  }
  readonly #delayed = new DueHeap<Place>()
  #timer: { readonly dueMono: number; readonly handle: Disposable } | undefined
  #takes = 0
  #tickets = 0
  #ready = 0
  #working = 0
  #quarantinedWorking = 0

  constructor(options: QueueOptions) {
    this.#options = { backoff: DEFAULT_BACKOFF, maxKeys: MAX_KEYS, ...options }
  }

  /** Keys waiting (also for their time) or in work. */
  get depth(): number {
    return this.#entries.size
  }
  /** Keys that a worker could take now. */
  get readyCount(): number {
    return this.#ready
  }
  get workingCount(): number {
    return this.#working
  }

  /** Asks for work on a key, not before `afterMs`. False when the queue is full and the key was not taken. */
  add(key: string, priority: Priority, afterMs = 0): boolean {
    const nowMono = this.#options.clock.mono()
    const wanted: Request = { priority, dueMono: nowMono + afterMs }
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      if (this.#entries.size >= this.#options.maxKeys) return false
      const created: Entry = {
        key,
        state: 'delayed',
        ...wanted,
        failures: 0,
        failedMono: 0,
        ticket: 0,
        again: undefined,
      }
      this.#entries.set(key, created)
      this.#place(created, wanted, nowMono)
      return true
    }
    switch (entry.state) {
      case 'working':
        entry.again = merge(entry.again, wanted)
        break
      case 'ready':
        if (priority === 'change' && entry.priority === 'resync' && afterMs === 0) this.#place(entry, wanted, nowMono)
        break
      case 'delayed': {
        const dueMono = Math.min(entry.dueMono, this.#earliest(entry, wanted))
        const merged = merge(entry, wanted)
        if (dueMono < entry.dueMono) this.#place(entry, { priority: merged.priority, dueMono }, nowMono)
        else entry.priority = merged.priority
        break
      }
    }
    return true
  }

  /** The next key, now in work; undefined when none is due or all that are due must wait for others in quarantine. */
  take(): Work | undefined {
    this.#takes++
    const order = this.#takes % STARVATION_BOUND === 0 ? PATIENT_FIRST : URGENT_FIRST
    for (const lane of order) {
      if (lane === 'quarantine' && this.#quarantinedWorking >= Math.max(1, this.#options.concurrency >> 2)) continue
      const entry = this.#shift(this.#lanes[lane])
      if (entry === undefined) continue
      entry.state = 'working'
      entry.ticket = 0
      this.#ready--
      this.#working++
      if (isQuarantined(entry)) this.#quarantinedWorking++
      const waitedMs = this.#options.clock.mono() - entry.dueMono
      return { key: entry.key, attempt: entry.failures + 1, priority: entry.priority, waitedMs }
    }
    return undefined
  }

  /** The work is done; it is wanted again after `againAfterMs`, or when something changes. */
  succeed(key: string, againAfterMs?: number): void {
    const entry = this.#finish(key)
    const nowMono = this.#options.clock.mono()
    entry.failures = 0
    const later: Request | undefined =
      againAfterMs === undefined ? undefined : { priority: 'resync', dueMono: nowMono + againAfterMs }
    const next = later === undefined ? entry.again : merge(entry.again, later)
    entry.again = undefined
    if (next === undefined) this.#entries.delete(key)
    else this.#place(entry, next, nowMono)
  }

  /** The work failed and is tried again after the key's back-off, not before `minDelayMs`. Returns the delay. */
  fail(key: string, minDelayMs = 0): number {
    const entry = this.#finish(key)
    const nowMono = this.#options.clock.mono()
    const delayMs = Math.max(minDelayMs, this.#backoffMs(entry.failures))
    entry.failures++
    entry.failedMono = nowMono
    let dueMono = nowMono + delayMs
    const { again } = entry
    entry.again = undefined
    if (again !== undefined) dueMono = Math.max(nowMono + minDelayMs, Math.min(dueMono, this.#earliest(entry, again)))
    this.#place(entry, { priority: again?.priority ?? 'resync', dueMono }, nowMono)
    return dueMono - nowMono
  }

  /** Drops everything that waits, and the timer. Work under way may still answer. */
  clear(): void {
    for (const entry of this.#entries.values()) {
      entry.again = undefined
      entry.ticket = 0
      if (entry.state !== 'working') this.#entries.delete(entry.key)
    }
    this.#ready = 0
    this.#timer?.handle[Symbol.dispose]()
    this.#timer = undefined
  }

  /** A failing key comes before its back-off ends only for a change, and then not at once: its own writes wake it too. */
  #earliest(entry: Entry, wanted: Request): number {
    if (entry.failures === 0) return wanted.dueMono
    if (wanted.priority === 'resync') return Number.POSITIVE_INFINITY
    return Math.max(wanted.dueMono, entry.failedMono + CHANGE_DURING_BACKOFF_MS)
  }

  #finish(key: string): Entry {
    const entry = this.#entries.get(key)
    if (entry?.state !== 'working') throw new Error(`The key ${key} is not in work.`)
    this.#working--
    if (isQuarantined(entry)) this.#quarantinedWorking--
    // A place that was refused while the quarantine was full can be taken now.
    if (this.#lanes.quarantine.length > 0) this.#options.onReady()
    return entry
  }

  #place(entry: Entry, { priority, dueMono }: Request, nowMono: number): void {
    if (entry.state === 'ready') this.#ready--
    entry.priority = priority
    entry.dueMono = dueMono
    entry.ticket = ++this.#tickets
    const place: Place = { entry, ticket: entry.ticket, dueMono }
    if (dueMono > nowMono) {
      entry.state = 'delayed'
      this.#delayed.push(place)
      // Entries that were brought forward leave their old place behind; it must not outlive them by much.
      if (this.#delayed.length > 2 * this.#entries.size + 64) this.#delayed.retain(isCurrent)
      this.#armTimer(nowMono)
      return
    }
    entry.state = 'ready'
    this.#ready++
    this.#lanes[isQuarantined(entry) ? 'quarantine' : priority].push(place)
    this.#options.onReady()
  }

  #shift(lane: Fifo<Place>): Entry | undefined {
    for (let place = lane.shift(); place !== undefined; place = lane.shift()) {
      if (isCurrent(place)) return place.entry
    }
    return undefined
  }

  #armTimer(nowMono: number): void {
    const dueMono = this.#delayed.peek()?.dueMono
    if (dueMono === undefined || (this.#timer !== undefined && this.#timer.dueMono <= dueMono)) return
    this.#timer?.handle[Symbol.dispose]()
    const handle = this.#options.clock.schedule(Math.max(0, dueMono - nowMono), () => {
      this.#timer = undefined
      this.#release()
    })
    this.#timer = { dueMono, handle }
  }

  #release(): void {
    const nowMono = this.#options.clock.mono()
    for (let first = this.#delayed.peek(); first !== undefined; first = this.#delayed.peek()) {
      if (isCurrent(first) && first.dueMono > nowMono) break
      this.#delayed.pop()
      if (isCurrent(first)) this.#place(first.entry, first.entry, nowMono)
    }
    this.#armTimer(nowMono)
  }

  #backoffMs(failures: number): number {
    const { backoff, random } = this.#options
    const ceilingMs = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(failures, 40))
    return ceilingMs * (0.8 + 0.2 * random.next())
  }
}

const isCurrent = (place: Place) => place.entry.ticket === place.ticket
const isQuarantined = (entry: Entry) => entry.failures >= QUARANTINE_FAILURES

function merge(a: Request | undefined, b: Request): Request {
  if (a === undefined) return b
  return {
    priority: a.priority === 'change' || b.priority === 'change' ? 'change' : 'resync',
    dueMono: Math.min(a.dueMono, b.dueMono),
  }
}
