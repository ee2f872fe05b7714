import type { Clock, Random } from '@orrery/api'
import { sleep } from '@orrery/api'
import { ExternalError } from '../errors.ts'

/** Smallest and largest pause between calls after the system has throttled us. */
const MIN_INTERVAL_MS = 10
const MAX_INTERVAL_MS = 10_000
/** Each call that is let through shortens the pause by this share. */
const RECOVERY = 0.9
/** Every so many starts the longest waiting call goes first, so that a flood of changes starves nothing. */
const STARVATION_BOUND = 16
/** Waiting calls beyond this are refused; the queue of keys is the place to wait in. */
const MAX_WAITING = 10_000

interface Waiter {
  readonly priority: 'change' | 'resync'
  readonly start: () => void
}

/**
 * How much one credential may do at a time: a number of calls in flight, user changes first, and a pause
 * between calls that doubles when the system throttles and melts away when it does not.
 */
export class Budget {
  readonly #maxConcurrent: number
  readonly #clock: Clock
  readonly #random: Random
  readonly #waiting: Waiter[] = []
  #running = 0
  #starts = 0
  #intervalMs = 0
  #nextMono = 0

  constructor(options: { readonly maxConcurrent: number; readonly clock: Clock; readonly random: Random }) {
    this.#maxConcurrent = options.maxConcurrent
    this.#clock = options.clock
    this.#random = options.random
  }

  /** The current pause between calls, for metrics. */
  get intervalMs(): number {
    return this.#intervalMs
  }

  async run<T>(
    options: { readonly priority: 'change' | 'resync'; readonly signal: AbortSignal },
    call: () => Promise<T>,
  ): Promise<T> {
    await this.#enter(options)
    try {
      await this.#pace(options.signal)
      const result = await call()
      this.#intervalMs = this.#intervalMs <= MIN_INTERVAL_MS ? 0 : this.#intervalMs * RECOVERY
      return result
    } catch (error) {
      if (error instanceof ExternalError && error.class === 'throttled') this.#slowDown(error.retryAfterMs)
      throw error
    } finally {
      this.#running -= 1
      this.#startNext()
    }
  }

  async #enter(options: { readonly priority: 'change' | 'resync'; readonly signal: AbortSignal }): Promise<void> {
    options.signal.throwIfAborted()
    if (this.#running < this.#maxConcurrent) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= MAX_WAITING) {
      throw new ExternalError({
        class: 'transient',
        reason: 'Overloaded',
        message: 'Too many calls wait for this ProviderConfig; the object is tried again.',
      })
    }
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        priority: options.priority,
        start: () => {
          options.signal.removeEventListener('abort', abort)
          resolve()
        },
      }
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(options.signal.reason)
      }
      options.signal.addEventListener('abort', abort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #startNext(): void {
    this.#starts += 1
    const isPatient = this.#starts % STARVATION_BOUND === 0
    const urgent = isPatient ? 0 : this.#waiting.findIndex((waiter) => waiter.priority === 'change')
    const [next] = this.#waiting.splice(Math.max(urgent, 0), 1)
    if (next === undefined) return
    this.#running += 1
    next.start()
  }

  async #pace(signal: AbortSignal): Promise<void> {
    if (this.#intervalMs === 0) return
    const now = this.#clock.mono()
    const at = Math.max(now, this.#nextMono)
    this.#nextMono = at + this.#intervalMs * (0.9 + 0.2 * this.#random.next())
    if (at > now) await sleep(this.#clock, at - now, signal)
  }

  #slowDown(retryAfterMs: number | undefined): void {
    this.#intervalMs = Math.min(Math.max(this.#intervalMs * 2, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
    if (retryAfterMs !== undefined) {
      const resume = this.#clock.mono() + Math.min(retryAfterMs, MAX_INTERVAL_MS * 6)
      this.#nextMono = Math.max(this.#nextMono, resume)
    }
  }
}
