import type { Lease } from '@orrery/api'
import { timeOf } from './fields.ts'
import { formatDuration } from './text.ts'

/** The lease that the acting manager holds. */
export const MANAGER_LEASE = { namespace: 'orrery-system', name: 'orrery-manager' } as const

/** A renewal may be late by this much before it is called so. */
const SLACK_MS = 2_000
const DEFAULT_DURATION_MS = 15_000

/** Whether a manager acts, as its lease tells. `serverNowMs` is the time by the server's clock. */
export function judgeLease(
  lease: Lease | undefined,
  serverNowMs: number,
): { readonly isAlive: boolean; readonly message: string } {
  if (lease === undefined) return { isAlive: false, message: 'no manager has ever run on this server' }
  const { holderIdentity = '', leaseDurationSeconds, renewTime } = lease.spec
  if (holderIdentity === '') return { isAlive: false, message: 'no manager runs; the last one ended cleanly' }
  const renewedMs = timeOf(renewTime)
  const durationMs = leaseDurationSeconds === undefined ? DEFAULT_DURATION_MS : leaseDurationSeconds * 1000
  if (renewedMs === undefined)
    return { isAlive: false, message: `the lease of manager ${holderIdentity} was never renewed` }
  const ageMs = serverNowMs - renewedMs
  const age = formatDuration(ageMs)
  if (ageMs > durationMs + SLACK_MS)
    return { isAlive: false, message: `manager ${holderIdentity} has not renewed its lease for ${age}` }
  return { isAlive: true, message: `${holderIdentity}, renewed ${age} ago` }
}
