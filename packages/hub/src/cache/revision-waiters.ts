import type { Clock } from '@orrery/api'
import { type Revision, StoreError } from '../store/store.ts'

interface Waiter {
  readonly revision: Revision
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Those who wait for the cache to reach a revision. */
export class RevisionWaiters {
  readonly #clock: Clock
  #waiters: Waiter[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Without `timeoutMs` as long as it takes, or until {@link fail}. */
  wait(revision: Revision, timeoutMs?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (timeoutMs === undefined) {
        this.#waiters.push({ revision, resolve, reject })
        return
      }
      const timer = this.#clock.schedule(timeoutMs, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        reject(new StoreError('future', `Revision ${revision} was not reached within ${timeoutMs} ms. Retry later.`))
      })
      const waiter: Waiter = {
        revision,
        resolve: () => {
          timer[Symbol.dispose]()
          resolve()
        },
        reject: (error) => {
          timer[Symbol.dispose]()
          reject(error)
        },
      }
      this.#waiters.push(waiter)
    })
  }

  reached(revision: Revision): void {
    if (this.#waiters.length === 0) return
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters) {
      if (waiter.revision <= revision) waiter.resolve()
      else waiting.push(waiter)
    }
    this.#waiters = waiting
  }

  fail(error: unknown): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(error)
  }
}
