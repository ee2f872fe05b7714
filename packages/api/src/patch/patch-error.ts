/** Thrown for a patch that is malformed (400) or cannot be applied (422). */
export class PatchError extends Error {
  override readonly name = 'PatchError'
  readonly kind: 'malformed' | 'inapplicable' | 'too-large'
  constructor(kind: PatchError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}
