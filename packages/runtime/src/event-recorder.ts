import type { Clock, Event, KubeObject, Logger, Random } from '@orrery/api'
import { ApiError, events, formatTime, isNotFound, sleep } from '@orrery/api'
import type { Client } from '@orrery/client'

/** Events that wait to be written. More are dropped and counted: an event is never worth memory or an outage. */
export const PENDING_MAX = 1_000
/** Events remembered to be counted up instead of written again. */
export const REMEMBERED_MAX = 4_096
/** The same event after this long is a new one. */
export const REMEMBERED_MS = 10 * 60_000
/** As client-go: an object may say this much at once, and then one thing per five minutes. */
export const OBJECT_BURST = 25
export const OBJECT_REFILL_MS = 5 * 60_000
/** The whole recorder writes at most ten events a second. */
export const WRITE_INTERVAL_MS = 100
const WRITE_ATTEMPTS = 3
/** Of `message`; Kubernetes refuses longer notes in its newer form. */
const MESSAGE_MAX = 1_024

export interface EventInput {
  readonly object: KubeObject
  readonly type: 'Normal' | 'Warning'
  /** CamelCase, stable: people and alerts select by it. */
  readonly reason: string
  /** For people; without secrets and timestamps, so that repetitions are the same event. */
  readonly message: string
}

export interface EventRecorder extends AsyncDisposable {
  /** Returns at once, never throws; the event is written in the background, or dropped when there are too many. */
  record(event: EventInput): void
  /** Resolves when nothing waits any more. */
  flush(): Promise<void>
}

export interface EventRecorderOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Who reports, e.g. `orrery-manager`. */
  readonly component: string
  /** Which process, in `reportingInstance`. */
  readonly identity: string
}

/** Writes core/v1 Events: repetitions are counted in one object, floods are held back per object. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options)
}

interface Remembered {
  readonly input: EventInput
  readonly firstTime: string
  lastTime: string
  count: number
  written: Event | undefined
  touchedMono: number
}

class Recorder implements EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #remembered = new Map<string, Remembered>()
  readonly #pending = new Map<string, Remembered>()
  readonly #budgets = new Map<string, { tokens: number; atMono: number }>()
  readonly #stop = new AbortController()
  #writing: Promise<void> | undefined
  #dropped = 0

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  record(input: EventInput): void {
    if (this.#stop.signal.aborted) return
    const nowMono = this.#options.clock.mono()
    const id = [input.object.metadata.uid ?? input.object.metadata.name, input.type, input.reason, input.message].join(
      '\n',
    )
    if (!this.#mayWrite(input.object, nowMono)) return this.#drop(input)
    if (!this.#pending.has(id) && this.#pending.size >= PENDING_MAX) return this.#drop(input)
    const time = formatTime(this.#options.clock.now())
    const known = this.#remembered.get(id)
    const isFresh = known !== undefined && nowMono - known.touchedMono < REMEMBERED_MS
    const entry: Remembered = isFresh
      ? known
      : { input, firstTime: time, lastTime: time, count: 0, written: undefined, touchedMono: nowMono }
    entry.count++
    entry.lastTime = time
    entry.touchedMono = nowMono
    this.#remembered.delete(id)
    this.#remembered.set(id, entry)
    forgetOldest(this.#remembered, REMEMBERED_MAX)
    this.#pending.set(id, entry)
    this.#writing ??= this.#writeAll()
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('The recorder was closed.'))
    await this.#writing
  }

  /** Never rejects: what cannot be written is logged and dropped. */
  async #writeAll(): Promise<void> {
    for (const [id, entry] of this.#pending) {
      this.#pending.delete(id)
      await this.#write(entry)
      if (this.#stop.signal.aborted) break
      if (this.#pending.size > 0) await this.#pause(WRITE_INTERVAL_MS)
    }
    this.#writing = undefined
  }

  async #write(entry: Remembered): Promise<void> {
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt++) {
      try {
        entry.written = await this.#send(entry)
        return
      } catch (error) {
        const { reason, object } = entry.input
        const isFinal = error instanceof ApiError && error.code < 500 && error.code !== 429
        if (isFinal || attempt === WRITE_ATTEMPTS || this.#stop.signal.aborted) {
          // The usual cause is a namespace that is going away.
          this.#options.log.debug({ error, reason, object: object.metadata.name }, 'an event was not written')
          return
        }
        await this.#pause(WRITE_INTERVAL_MS * 2 ** attempt)
      }
    }
  }

  async #send(entry: Remembered): Promise<Event> {
    const { client } = this.#options
    const signal = this.#stop.signal
    const { written, count, lastTime } = entry
    if (written !== undefined) {
      const { name, namespace } = written.metadata
      const key = namespace === undefined ? { name } : { namespace, name }
      try {
        return await client.patch(events, key, { type: 'merge', body: { count, lastTimestamp: lastTime } }, { signal })
      } catch (error) {
        if (!isNotFound(error)) throw error // Events live an hour; this one is over, and a new one begins.
      }
    }
    return client.create(events, this.#eventOf(entry), { signal })
  }

  #eventOf({ input, count, firstTime, lastTime }: Remembered): Event {
    const { component, identity, random } = this.#options
    const { object, type, reason } = input
    const { name, uid, resourceVersion } = object.metadata
    const namespace = object.metadata.namespace ?? 'default'
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: `${name.slice(0, 200)}.${random.uuid().replaceAll('-', '').slice(0, 16)}` },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name,
        ...(object.metadata.namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type,
      reason,
      message: input.message.slice(0, MESSAGE_MAX),
      source: { component },
      reportingComponent: component,
      reportingInstance: identity.slice(0, 128),
      firstTimestamp: firstTime,
      lastTimestamp: lastTime,
      count,
    }
  }

  /** A token bucket per object. */
  #mayWrite(object: KubeObject, nowMono: number): boolean {
    const id = object.metadata.uid ?? object.metadata.name
    const known = this.#budgets.get(id) ?? { tokens: OBJECT_BURST, atMono: nowMono }
    const tokens = Math.min(OBJECT_BURST, known.tokens + (nowMono - known.atMono) / OBJECT_REFILL_MS)
    this.#budgets.delete(id)
    this.#budgets.set(id, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMono: nowMono })
    forgetOldest(this.#budgets, REMEMBERED_MAX)
    return tokens >= 1
  }

  #drop({ object, reason }: EventInput): void {
    this.#dropped++
    this.#options.log.debug(
      { object: object.metadata.name, reason, dropped: this.#dropped },
      'too many events; one was dropped',
    )
  }

  async #pause(delayMs: number): Promise<void> {
    try {
      await sleep(this.#options.clock, delayMs, this.#stop.signal)
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error // The loops see the abort.
    }
  }
}

function forgetOldest(map: Map<string, unknown>, limit: number): void {
  const [oldest] = map.keys()
  if (map.size > limit && oldest !== undefined) map.delete(oldest)
}
