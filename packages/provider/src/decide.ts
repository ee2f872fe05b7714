import type { Difference } from './difference.ts'
import type { Observation, OwnershipMark } from './kind.ts'
import type { ExternalRecord } from './managed.ts'
import type { EffectName } from './safety.ts'

/**
 * The decision function. Pure: no I/O, time is an argument. Reconcile executes its answer, plan prints it.
 */

/** What the user wants, as far as it bears on the decision. */
export interface Desired {
  readonly deleting: boolean
  /** Take what exists under the external name. */
  readonly adopt: boolean
  /** No policy but Observe. */
  readonly observeOnly: boolean
  readonly mayDelete: boolean
  readonly lossPolicy: 'Report' | 'Recreate'
}

/** What the durable record says. An open attempt has been settled before anything is decided. */
export interface RecordState {
  readonly external: ExternalRecord | undefined
  /** By effect, until when (epoch milliseconds) an unanswered call could still take effect. */
  readonly settlingUntilMs: Readonly<Partial<Record<EffectName, number>>>
  /** An attempt whose outcome only a person can tell. */
  readonly unsettled: boolean
  readonly mark: OwnershipMark
}

export type Dependencies =
  | { readonly state: 'ready' }
  /** What is missing, on which object. Its arrival wakes the reconcile. */
  | { readonly state: 'waiting'; readonly message: string }

export type Decision =
  | { readonly type: 'create' }
  | { readonly type: 'update'; readonly differences: readonly Difference[] }
  | { readonly type: 'replace'; readonly differences: readonly Difference[] }
  | { readonly type: 'delete' }
  /** Record what exists as ours. */
  | { readonly type: 'adopt'; readonly how: 'mark' | 'annotation' }
  /** Let go of the object: nothing of ours is outside, or it is to be left there. */
  | { readonly type: 'forget' }
  /** With `untilMs`, time alone resolves it; otherwise an event does. */
  | { readonly type: 'wait'; readonly reason: WaitReason; readonly message: string; readonly untilMs?: number }
  | { readonly type: 'unknown'; readonly reason: string; readonly message: string }
  | { readonly type: 'nothing' }

export type WaitReason = 'Waiting' | 'ExternalMissing' | 'AlreadyExists' | 'OwnedByAnother' | 'Settling' | 'NotFound'

export interface DecideInput {
  readonly desired: Desired
  readonly record: RecordState
  readonly observation: Observation
  readonly differences: readonly Difference[]
  readonly dependencies: Dependencies
  /** Longest time a created thing may be invisible. */
  readonly maxReadLagMs: number
  readonly nowMs: number
}

export function decide(input: DecideInput): Decision {
  const { record, observation, dependencies } = input
  if (record.unsettled) {
    return {
      type: 'unknown',
      reason: 'OutcomeUnknown',
      message: 'An earlier call may or may not have taken effect, and the system offers no way to find out.',
    }
  }
  if (observation.state === 'unknown') {
    return { type: 'unknown', reason: observation.reason, message: observation.message }
  }
  if (input.desired.deleting) return decideDeletion(input, observation)
  if (observation.state === 'absent') return decideAbsent(input)
  if (dependencies.state === 'waiting' && record.external === undefined && !input.desired.observeOnly) {
    return { type: 'wait', reason: 'Waiting', message: dependencies.message }
  }
  return decidePresent(input, observation)
}

type Present = Extract<Observation, { state: 'present' }>
type Known = Exclude<Observation, { state: 'unknown' }>

function decideDeletion(input: DecideInput, observation: Known): Decision {
  const { record, desired } = input
  const external = record.external
  if (!desired.mayDelete) return { type: 'forget' }
  if (observation.state === 'present') {
    const ours = observation.mark !== undefined && observation.mark !== null && sameMark(observation.mark, record.mark)
    if (external === undefined && !ours) return { type: 'forget' }
    if (!desired.adopt && belongsToAnother(observation, record.mark)) return { type: 'forget' }
    return waitForDependents(input) ?? { type: 'delete' }
  }
  // Absent now is not absent for good while something that was sent may still arrive.
  const settling = Object.values(record.settlingUntilMs)
  const goneFrom = Math.max(visibleFrom(input), ...settling)
  if (input.nowMs < goneFrom) {
    return { type: 'wait', reason: 'Settling', message: 'An earlier call may still take effect.', untilMs: goneFrom }
  }
  return { type: 'forget' }
}

function waitForDependents(input: DecideInput): Decision | undefined {
  if (input.dependencies.state === 'ready') return undefined
  return { type: 'wait', reason: 'Waiting', message: input.dependencies.message }
}

function decideAbsent(input: DecideInput): Decision {
  const { record, desired, dependencies, nowMs } = input
  if (desired.observeOnly) {
    return { type: 'wait', reason: 'NotFound', message: 'The external thing to observe does not exist.' }
  }
  if (record.external !== undefined) {
    const visible = visibleFrom(input)
    if (nowMs < visible) {
      return { type: 'wait', reason: 'Settling', message: 'Created, and not yet visible outside.', untilMs: visible }
    }
    if (desired.lossPolicy === 'Report') {
      return {
        type: 'wait',
        reason: 'ExternalMissing',
        message: 'The external thing has vanished. It is not made anew unless spec.lossPolicy is Recreate.',
      }
    }
  }
  if (dependencies.state === 'waiting') return { type: 'wait', reason: 'Waiting', message: dependencies.message }
  // A late create would only collide with ours, but a late delete would destroy it.
  const lateDelete = record.settlingUntilMs.delete ?? 0
  if (nowMs < lateDelete) {
    return {
      type: 'wait',
      reason: 'Settling',
      message: 'An earlier deletion may still take effect.',
      untilMs: lateDelete,
    }
  }
  return { type: 'create' }
}

function decidePresent(input: DecideInput, observation: Present): Decision {
  const { record, desired, differences } = input
  if (record.external === undefined) {
    if (desired.observeOnly) return { type: 'nothing' }
    const mark = observation.mark
    if (mark !== undefined && mark !== null && sameMark(mark, record.mark)) return { type: 'adopt', how: 'mark' }
    if (desired.adopt) return { type: 'adopt', how: 'annotation' }
    const whose = mark === undefined || mark === null ? '' : ' It belongs to another object of this or another hub.'
    return {
      type: 'wait',
      reason: 'AlreadyExists',
      message: `Something with this external name exists and is not ours.${whose} To take it over, annotate orrery.dev/adopt=true.`,
    }
  }
  if (!desired.adopt && belongsToAnother(observation, record.mark)) {
    return {
      type: 'wait',
      reason: 'OwnedByAnother',
      message: 'The mark on the external thing names another owner; it is left alone.',
    }
  }
  if (differences.length === 0) return { type: 'nothing' }
  if (differences.some((difference) => difference.immutable)) return { type: 'replace', differences }
  return { type: 'update', differences }
}

function visibleFrom(input: DecideInput): number {
  const external = input.record.external
  return external === undefined ? 0 : Date.parse(external.since) + input.maxReadLagMs
}

const sameMark = (a: OwnershipMark, b: OwnershipMark) => a.hub === b.hub && a.uid === b.uid

// A missing mark on something we recorded is drift (the kind restores it), not a change of owner.
function belongsToAnother(observation: Present, ours: OwnershipMark): boolean {
  return observation.mark !== undefined && observation.mark !== null && !sameMark(observation.mark, ours)
}
