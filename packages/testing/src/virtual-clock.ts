import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@orrery/api'

interface Timer {
  readonly atMs: number
  /** Timers of the same time fire in the order in which they were set. */
  readonly sequence: number
  readonly callback: () => void
  isCancelled: boolean
}

/** Wall time at the start of every simulation: 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000

/**
 * Time that jumps to the next timer. One timer fires, then everything that follows from it without waiting
 * is finished, then the next: one order of events per seed.
 */
export class VirtualClock implements Clock {
  readonly #heap: Timer[] = []
  #nowMs = 0
  #sequence = 0
  #wallOffsetMs = 0

  now(): number {
    return EPOCH_MS + this.#nowMs + this.#wallOffsetMs
  }

  mono(): number {
    return this.#nowMs
  }

  /** Moves the wall clock alone, as an administrator or a bad time server does. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  schedule(delayMs: number, callback: () => void): Disposable {
    const timer: Timer = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      callback,
      isCancelled: false,
    }
    this.#push(timer)
    return {
      [Symbol.dispose]: () => {
        timer.isCancelled = true
      },
    }
  }

  /** Fires the next timer and finishes what follows. False when there is none. */
  async step(): Promise<boolean> {
    await setImmediate()
    for (let timer = this.#pop(); timer !== undefined; timer = this.#pop()) {
      if (timer.isCancelled) continue
      this.#nowMs = timer.atMs
      timer.callback()
      await setImmediate()
      return true
    }
    return false
  }

  /** Runs everything that is due within `durationMs` from now. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    await setImmediate()
    for (let next = this.#peek(); next !== undefined && next.atMs <= endMs; next = this.#peek()) await this.step()
    this.#nowMs = endMs
  }

  #peek(): Timer | undefined {
    while (this.#heap[0]?.isCancelled === true) this.#pop()
    return this.#heap[0]
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >>> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(timer, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || last === first) return first
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, left)) child++
      const least = heap[child]
      if (least === undefined || !isBefore(least, last)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
    return first
  }
}

const isBefore = (left: Timer, right: Timer): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence)
