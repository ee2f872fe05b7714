import type { Clock, Random } from '@orrery/api'

/** A clock that moves only when a test says so, for the tests of this package. */
export class VirtualTime implements Clock {
  #nowMs = 0
  #timers: { dueMs: number; callback: () => void }[] = []

  now(): number {
    return 1_700_000_000_000 + this.#nowMs
  }
  mono(): number {
    return this.#nowMs
  }
  schedule(delayMs: number, callback: () => void): Disposable {
    const timer = { dueMs: this.#nowMs + delayMs, callback }
    this.#timers.push(timer)
    return { [Symbol.dispose]: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  /** Fires what comes due, in order; between two timers everything that can go on does. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    await turn()
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined || next.dueMs > endMs) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.callback()
      await turn()
    }
    this.#nowMs = endMs
    await turn()
  }

  /** The process is stopped for a while: time passes, nothing fires. */
  pause(durationMs: number): void {
    this.#nowMs += durationMs
  }
}

/** Lets every promise that can go on do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Always the middle: jitter without surprises. */
export const evenRandom: Random = {
  next: () => 0.5,
  bytes: (size) => new Uint8Array(size),
  uuid: () => '00000000-0000-4000-8000-000000000000',
}
