import type { Random } from '@orrery/api'

/** Polling of an object outside: soon after a change, seldom for what stays stable. */
export interface Poll {
  readonly minMs: number
  readonly maxMs: number
}

export const DEFAULT_POLL: Poll = { minMs: 60_000, maxMs: 600_000 }

/** Doubles with each quiet poll; ±10 % so that what was created together does not stay together. */
export function nextPollMs(poll: Poll, quietPolls: number, random: Random): number {
  const delayMs = Math.min(poll.minMs * 2 ** Math.min(quietPolls, 16), poll.maxMs)
  return delayMs * (0.9 + 0.2 * random.next())
}
