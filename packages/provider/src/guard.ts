import type { Decision } from './decide.ts'
import type { ManagedSpec } from './managed.ts'
import { allows } from './managed.ts'

/**
 * Whether a decided action may be taken now. Pure. Later guards (approval, freeze, quota) join here.
 * `held` is shown as pending in `status.plan`; `denied` needs a change by the user.
 */
export type Verdict =
  | { readonly type: 'allowed' }
  | { readonly type: 'held'; readonly reason: string; readonly message: string }
  | { readonly type: 'denied'; readonly reason: string; readonly message: string }

const ALLOWED: Verdict = { type: 'allowed' }

export interface GuardInput {
  readonly decision: Decision
  readonly spec: ManagedSpec
  /** The differences appeared without a change of the spec. */
  readonly drifted: boolean
  readonly dataBearing: boolean
  /** What is in the way of destroying it, e.g. `3 tables`. */
  readonly notEmpty: string | undefined
  /** It was created and has not agreed with its spec since: what differs is the rest of the creation. */
  readonly isBeingMade?: boolean
}

export function guard(input: GuardInput): Verdict {
  const { decision, spec } = input
  switch (decision.type) {
    case 'create':
      return allows(spec, 'Create') ? ALLOWED : held('create', 'Create')
    case 'update':
      // One effect is one call: what a creation still lacks, such as its mark, comes by updates.
      if (!allows(spec, 'Update') && !(input.isBeingMade === true && allows(spec, 'Create')))
        return held('update', 'Update')
      return input.drifted && spec.driftPolicy === 'Report' ? REPORTED : ALLOWED
    case 'replace':
      return guardReplace(input)
    case 'delete':
      return guardDestruction(input)
    case 'adopt':
    case 'forget':
    case 'wait':
    case 'unknown':
    case 'nothing':
      return ALLOWED
  }
}

const REPORTED: Verdict = {
  type: 'held',
  reason: 'DriftReported',
  message: 'Changed outside. spec.driftPolicy is Report, so it is not undone.',
}

function held(action: string, policy: string): Verdict {
  return {
    type: 'held',
    reason: 'ManagementPolicy',
    message: `To ${action} it, spec.managementPolicies would have to contain ${policy}.`,
  }
}

function guardReplace(input: GuardInput): Verdict {
  const { spec, decision } = input
  if (decision.type !== 'replace') return ALLOWED
  if (input.drifted && spec.driftPolicy === 'Report') return REPORTED
  const fields = decision.differences
    .filter((difference) => difference.immutable)
    .map((difference) => `forProvider.${difference.path}`)
    .join(', ')
  if (!allows(spec, 'Create') || !allows(spec, 'Delete')) return held('replace', 'Create and Delete')
  if (input.dataBearing && spec.forceDestroy !== true) {
    return {
      type: 'denied',
      reason: 'ReplaceRefused',
      message: `${fields} cannot be changed in place, and replacing would destroy data. Restore the value, or set spec.forceDestroy: true to destroy and create it anew.`,
    }
  }
  return ALLOWED
}

function guardDestruction(input: GuardInput): Verdict {
  if (input.dataBearing && input.notEmpty !== undefined && input.spec.forceDestroy !== true) {
    return {
      type: 'denied',
      reason: 'NotEmpty',
      message: `It holds ${input.notEmpty} and is not deleted. Empty it, set spec.forceDestroy: true, or remove Delete from spec.managementPolicies to leave it alone.`,
    }
  }
  return ALLOWED
}
