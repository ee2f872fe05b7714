import type { Json, JsonObject } from '@orrery/api'

/** An object that its owner may still change. */
export type MutableObject = Record<string, Json>

const emptyObject: JsonObject = Object.freeze({})

/** Narrows to a JSON object: not null, not a list. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Narrows to a JSON list. `Array.isArray` alone does not narrow readonly lists. */
export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** The member when it is an object, else an empty object. */
export function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = parent[key]
  return isObject(value) ? value : emptyObject
}

/** The member when it is a string, else empty. */
export function textAt(parent: JsonObject, key: string): string {
  const value = parent[key]
  return typeof value === 'string' ? value : ''
}

/** The member when it is a number, else undefined. */
export function numberAt(parent: JsonObject, key: string): number | undefined {
  const value = parent[key]
  return typeof value === 'number' ? value : undefined
}

/** The members of a list that are strings. */
export function textsAt(parent: JsonObject, key: string): readonly string[] {
  const value = parent[key]
  return isList(value) ? value.filter((item) => typeof item === 'string') : []
}

/** The members of a list that are objects. */
export function objectsAt(parent: JsonObject, key: string): readonly JsonObject[] {
  const value = parent[key]
  return isList(value) ? value.filter(isObject) : []
}

/** Follows dotted members, e.g. `.spec.replicas`; undefined when something on the way is no object. */
export function valueAtPath(root: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = root
  for (const part of path.split('.')) {
    if (part === '') continue
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined
    value = value[part]
  }
  return value
}

/** The object with `value` set at a dotted path; what lies on the way is copied, nothing is changed in place. */
export function withValueAtPath(root: JsonObject, path: string, value: Json): JsonObject {
  const [part, ...rest] = path.split('.').filter((piece) => piece !== '')
  if (part === undefined) return root
  const inner = rest.length === 0 ? value : withValueAtPath(objectAt(root, part), rest.join('.'), value)
  return { ...root, [part]: inner }
}

/** Drops a member without changing the argument. */
export function without(object: JsonObject, ...keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)))
}

/** A shallow copy that its owner may change. */
export function mutableCopy(object: JsonObject): MutableObject {
  return { ...object }
}
