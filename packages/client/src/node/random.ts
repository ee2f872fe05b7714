import { randomBytes, randomUUID } from 'node:crypto'
import type { Random } from '@orrery/api'

/** The machine's randomness: jitter from the fast generator, bytes and ids from the unpredictable one. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (size) => randomBytes(size),
  uuid: () => randomUUID(),
}
