import type { Random } from '@orrery/api'

/** Always the middle: jitter without surprises. */
export const evenRandom: Random = {
  next: () => 0.5,
  bytes: (size) => new Uint8Array(size),
  uuid: () => '00000000-0000-4000-8000-000000000000',
}
