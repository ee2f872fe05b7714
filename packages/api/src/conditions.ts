import type { Condition } from './object.ts'

/**
 * Returns the conditions with `next` in place of the one of its type. `lastTransitionTime` moves only
 * when `status` changes. Returns the same array when nothing changed in meaning.
 */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  time: string,
): readonly Condition[] {
  const index = conditions.findIndex((condition) => condition.type === next.type)
  const current = conditions[index]
  if (current === undefined) return [...conditions, { ...next, lastTransitionTime: time }]
  const unchanged =
    current.status === next.status &&
    current.reason === next.reason &&
    current.message === next.message &&
    current.observedGeneration === next.observedGeneration
  if (unchanged) return conditions
  const lastTransitionTime = current.status === next.status ? current.lastTransitionTime : time
  return conditions.with(index, { ...next, lastTransitionTime })
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

export const isTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True'
