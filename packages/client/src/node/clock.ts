import type { Clock } from '@orrery/api'

/** Node's own limit; a longer delay would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The machine's clock. A pending timer keeps the process alive, so whoever ends early disposes its timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  schedule(delayMs, callback) {
    let timer: NodeJS.Timeout
    const arm = (restMs: number) => {
      const partMs = Math.min(restMs, MAX_TIMER_MS)
      timer = setTimeout(() => (restMs > partMs ? arm(restMs - partMs) : callback()), Math.max(0, partMs))
    }
    arm(delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
