import type { Json, JsonArray } from '../json/json.ts'

/**
 * The order of a merged list: elements that `order` names stand in its sequence; the others keep their
 * place relative to their neighbours in the live list, as far as both wishes allow.
 */
export function mergeOrdered(options: {
  readonly merged: JsonArray
  readonly order: JsonArray
  readonly live: JsonArray
  readonly textOf: (item: Json) => string
}): JsonArray {
  const { merged, textOf } = options
  const wanted = positionsOf(options.order, textOf)
  const live = positionsOf(options.live, textOf)
  const ordered: Json[] = []
  const others: Json[] = []
  for (const item of merged) (wanted.has(textOf(item)) ? ordered : others).push(item)
  const at = (positions: ReadonlyMap<string, number>, item: Json): number => positions.get(textOf(item)) ?? Infinity
  ordered.sort((a, b) => at(wanted, a) - at(wanted, b))
  others.sort((a, b) => (at(live, a) < at(live, b) ? -1 : 1))
  return interleave(others, ordered, (other, next) => {
    const left = live.get(textOf(other))
    const right = live.get(textOf(next))
    return left !== undefined && right !== undefined && left < right
  })
}

function positionsOf(list: JsonArray, textOf: (item: Json) => string): ReadonlyMap<string, number> {
  const positions = new Map<string, number>()
  for (const [index, item] of list.entries()) if (!positions.has(textOf(item))) positions.set(textOf(item), index)
  return positions
}

/** Inserts each of `others` before the first of `ordered` that it precedes in the live list. */
function interleave(
  others: readonly Json[],
  ordered: readonly Json[],
  precedes: (other: Json, next: Json) => boolean,
): JsonArray {
  const result: Json[] = []
  let i = 0
  let j = 0
  while (i < others.length || j < ordered.length) {
    const other = others[i]
    const next = ordered[j]
    if (next === undefined || (other !== undefined && precedes(other, next))) {
      if (other !== undefined) result.push(other)
      i++
    } else {
      result.push(next)
      j++
    }
  }
  return result
}
