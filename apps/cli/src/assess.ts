import type { Condition } from '@orrery/api'
import { findCondition } from '@orrery/api'
import { timeOf } from './fields.ts'
import type { Item } from './item.ts'
import { PROVIDER_CATEGORY } from './resources.ts'

/** How an object is, in one word; in the order of how much it needs somebody's attention. */
export const states = [
  'failed',
  'lost',
  'unknown',
  'denied',
  'waiting',
  'deleting',
  'pending',
  'drifted',
  'held',
  'paused',
  'ready',
] as const

/**
 * - `failed`: a call failed, or it cannot be used.
 * - `lost`: the external thing has vanished, or belongs to another.
 * - `unknown`: what a call did is not known, and somebody has to say.
 * - `denied`: a change would destroy data, and is refused.
 * - `waiting`: for another object, or for time.
 * - `deleting`: on its way out.
 * - `pending`: its last change has not been taken up yet.
 * - `drifted`: it differs outside, and is only reported.
 * - `held`: a change is not allowed by its policies, or waits for approval.
 * - `paused`: nothing is read or changed outside.
 */
export type State = (typeof states)[number]

export interface Assessment {
  readonly state: State
  /** Usable, as its last probe said. */
  readonly isReady: boolean
  /** A word from the condition that decides; empty when all is well. */
  readonly reason: string
  readonly message: string
  /** Since when, as far as its conditions tell. */
  readonly sinceMs: number | undefined
}

/** The rank of a state: less is worse. */
export const rankOf = (state: State): number => states.indexOf(state)

/** Judges an object by its conditions alone. */
export function assess(item: Item): Assessment {
  const ready = findCondition(item.conditions, 'Ready')
  const synced = findCondition(item.conditions, 'Synced')
  const upToDate = findCondition(item.conditions, 'UpToDate')
  const isReady = ready?.status === 'True'
  const judged = (state: State, by: Condition | undefined, message = by?.message ?? ''): Assessment => ({
    state,
    isReady: isReady || state === 'ready',
    reason: by?.reason ?? '',
    message: message === '' && by !== undefined && state !== 'ready' ? by.reason : message,
    sinceMs: timeOf(by?.lastTransitionTime) ?? item.createdMs,
  })
  if (synced?.status === 'False' && synced.reason === 'ReconcilePaused') return judged('paused', synced)
  const isDenied = synced?.status === 'False' && upToDate?.status === 'False' && synced.reason === upToDate.reason
  if (ready !== undefined && LOST.has(ready.reason)) return judged('lost', ready)
  if (isDenied) return judged('denied', synced)
  if (item.deletingSinceMs !== undefined) return deleting(item, judged)
  const seen = ready ?? synced
  // Kinds that are not a provider's, such as a Secret, are well when they are there.
  if (seen === undefined && item.resource.categories?.includes(PROVIDER_CATEGORY) !== true)
    return judged('ready', undefined)
  if (seen === undefined) return judged('pending', undefined, 'No controller has looked at it yet.')
  if (seen.observedGeneration !== undefined && seen.observedGeneration < item.generation) {
    return judged('pending', seen, `Its last change (generation ${item.generation}) has not been taken up yet.`)
  }
  if (ready?.reason === 'OutcomeUnknown') return judged('unknown', ready)
  if (synced?.status === 'False') return judged('failed', synced)
  if (ready !== undefined && WAITS.has(ready.reason)) return judged('waiting', ready)
  if (!isReady) return judged(synced?.status === 'Unknown' ? 'waiting' : 'failed', seen)
  if (upToDate?.status === 'False')
    return judged(item.drift.length > 0 && upToDate.reason === 'DriftReported' ? 'drifted' : 'held', upToDate)
  return judged('ready', ready, '')
}

const LOST: ReadonlySet<string> = new Set(['ExternalMissing', 'OwnedByAnother'])
const WAITS: ReadonlySet<string> = new Set(['Waiting', 'InvalidProviderConfig', 'Settling', 'NotFound'])

function deleting(
  item: Item,
  judged: (state: State, by: Condition | undefined, message?: string) => Assessment,
): Assessment {
  const synced = findCondition(item.conditions, 'Synced')
  const isFailing = synced?.status === 'False'
  const why = isFailing ? synced.message : item.plan?.action === 'delete' ? item.plan.message : ''
  const finalizers = `It is held by ${item.finalizers.join(', ') || 'nothing any more'}.`
  const assessment = judged('deleting', isFailing ? synced : undefined, why === '' ? finalizers : why)
  return {
    ...assessment,
    reason: assessment.reason === '' ? (item.plan?.reason ?? 'Deleting') : assessment.reason,
    sinceMs: item.deletingSinceMs,
  }
}
