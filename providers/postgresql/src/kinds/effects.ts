import type { Attempt, KindContext, Observation } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'
import { identifier } from '../sql.ts'

/**
 * Every effect runs in a session named after its attempt. Whoever settles an attempt ends that session first;
 * after that its statement has either been committed or never will be, so nothing can happen late.
 */
export const FENCED = { create: { type: 'fence' }, update: { type: 'fence' }, delete: { type: 'fence' } } as const

export async function fence(context: KindContext<PostgresClient>, attempt: Attempt): Promise<void> {
  await context.client.fence(attempt, context.signal)
}

/** Somebody gave another name to what we made. It is neither lost nor ours to rename, so a person is told. */
export function renamed(
  what: 'DATABASE' | 'ROLE',
  names: { readonly from: string; readonly to: string },
): Extract<Observation, { state: 'unknown' }> {
  const [from, to] = [identifier(names.from), identifier(names.to)]
  return {
    state: 'unknown',
    reason: 'Renamed',
    message: `It was renamed to ${to} outside. Rename it back (ALTER ${what} ${to} RENAME TO ${from}), or delete this object, which leaves ${to} alone.`,
  }
}
