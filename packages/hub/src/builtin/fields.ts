import { getKey, isJsonArray, isJsonObject, type Json, type JsonObject } from '@orrery/api'

/** Reading untyped objects: what is missing or of another type reads as empty. */

const nothing: JsonObject = {}

export const objectAt = (parent: JsonObject, key: string): JsonObject => {
  const value = getKey(parent, key)
  return isJsonObject(value) ? value : nothing
}
export const textAt = (parent: JsonObject, key: string): string => {
  const value = getKey(parent, key)
  return typeof value === 'string' ? value : ''
}
export const listAt = (parent: JsonObject, key: string): readonly Json[] => {
  const value = getKey(parent, key)
  return isJsonArray(value) ? value : []
}
export const objectsAt = (parent: JsonObject, key: string): readonly JsonObject[] =>
  listAt(parent, key).filter(isJsonObject)
export const textsAt = (parent: JsonObject, key: string): readonly string[] =>
  listAt(parent, key).filter((item): item is string => typeof item === 'string')
export const numberAt = (parent: JsonObject, key: string): number | undefined => {
  const value = getKey(parent, key)
  return typeof value === 'number' ? value : undefined
}

/** Changes an object that the caller owns. Contracts pass it as readonly; preparing is the one place that may write. */
export function assign(object: JsonObject, members: JsonObject): void {
  Object.assign<object, object>(object, members)
}

/** Removes a member from an object that the caller owns. */
export function remove(object: JsonObject, key: string): void {
  Reflect.deleteProperty(object, key)
}
