import {
  equalJson,
  getKey,
  isJsonObject,
  type Json,
  type JsonObject,
  type MutableJsonObject,
  setKey,
} from '../json/json.ts'

/** RFC 7386. Returns a new value; the input is not changed, and parts that the patch does not touch are shared. */
export function applyMergePatch(target: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch
  const source = isJsonObject(target) ? target : {}
  const result: MutableJsonObject = {}
  for (const key of Object.keys(source)) {
    if (!Object.hasOwn(patch, key)) {
      setKey(result, key, source[key])
      continue
    }
    const change = patch[key] ?? null
    if (change !== null) setKey(result, key, applyMergePatch(source[key] ?? null, change))
  }
  for (const key of Object.keys(patch)) {
    const change = patch[key] ?? null
    if (change !== null && !Object.hasOwn(source, key)) setKey(result, key, applyMergePatch(null, change))
  }
  return result
}

/**
 * The smallest merge patch that turns `from` into `to`; `undefined` when they are equal. Lists are
 * replaced whole. A `null` inside an object of `to` cannot be expressed and comes out as absent.
 */
export function createMergePatch(from: Json, to: Json): Json | undefined {
  if (!isJsonObject(from) || !isJsonObject(to)) return equalJson(from, to) ? undefined : to
  const patch: MutableJsonObject = {}
  removals(from, to, patch)
  for (const key of Object.keys(to)) {
    const next = to[key]
    if (next === undefined) continue
    const before = getKey(from, key)
    const change = before === undefined ? next : createMergePatch(before, next)
    if (change !== undefined) setKey(patch, key, change)
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

function removals(from: JsonObject, to: JsonObject, patch: MutableJsonObject): void {
  for (const key of Object.keys(from)) if (getKey(to, key) === undefined) setKey(patch, key, null)
}
