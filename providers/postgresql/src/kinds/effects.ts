import type { Attempt, KindContext } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'

/**
 * Every effect runs in a session named after its attempt. Whoever settles an attempt ends that session first;
 * after that its statement has either been committed or never will be, so nothing can happen late.
 */
export const FENCED = { create: { type: 'fence' }, update: { type: 'fence' }, delete: { type: 'fence' } } as const

export async function fence(context: KindContext<PostgresClient>, attempt: Attempt): Promise<void> {
  await context.client.fence(attempt, context.signal)
}
