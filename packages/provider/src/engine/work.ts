import type { KindContext } from '../kind.ts'
import type { EffectRequest } from './effects.ts'
import type { ResolvedReferences } from './references.ts'
import type { Session } from './session.ts'

/** What one reconcile works with. */
export interface Work {
  readonly session: Session
  readonly priority: 'change' | 'resync'
  readonly access: Pick<EffectRequest, 'connection' | 'priority'>
  readonly held: boolean
  readonly references: ResolvedReferences
  readonly context: KindContext
  /** Keyed hashes of the secrets that are to be in effect. */
  readonly hashes: Readonly<Record<string, string>>
  readonly missing: string | undefined
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
