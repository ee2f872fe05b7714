import type { Json } from '../json/json.ts'

/** Thrown for a patch that is malformed (400) or cannot be applied (422). */
export class PatchError extends Error {
  override readonly name = 'PatchError'
  readonly kind: 'malformed' | 'inapplicable' | 'too-large'
  constructor(kind: PatchError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** RFC 6902 with Kubernetes' limits (10,000 operations). Returns a new value; the input is not changed. */
export function applyJsonPatch(_target: Json, _patch: Json): Json {
  throw new Error('contract')
}
