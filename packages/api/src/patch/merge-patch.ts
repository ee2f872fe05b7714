import type { Json } from '../json/json.ts'

/** RFC 7386. Returns a new value; the input is not changed. */
export function applyMergePatch(_target: Json, _patch: Json): Json {
  throw new Error('contract')
}

/** The smallest merge patch that turns `from` into `to`; `undefined` when they are equal. Lists are replaced whole. */
export function createMergePatch(_from: Json, _to: Json): Json | undefined {
  throw new Error('contract')
}
