import { checkConfigKey, equalJson, type FieldError, forbidden, invalid, type JsonObject } from '@orrery/api'
import { objectAt } from './fields.ts'

/** What ConfigMaps and Secrets have in common. */

/** Both are held in memory by many clients; Kubernetes allows as much. */
export const maxDataBytes = 1024 * 1024

/** Keys become file names. */
export function checkKeys(object: JsonObject, field: string): FieldError[] {
  return Object.keys(objectAt(object, field)).flatMap((key) =>
    checkConfigKey(key).map((detail) => invalid(`${field}[${key}]`, key, detail)),
  )
}

/** Once immutable, always immutable: only metadata may change. */
export function checkImmutable(
  object: JsonObject,
  old: JsonObject | undefined,
  fields: readonly string[],
): FieldError[] {
  if (old?.['immutable'] !== true) return []
  const detail = 'field is immutable when `immutable` is set'
  const errors = object['immutable'] === true ? [] : [forbidden('immutable', detail)]
  for (const field of fields)
    if (!equalJson(objectAt(object, field), objectAt(old, field))) errors.push(forbidden(field, detail))
  return errors
}

/** Decodes standard base64; undefined when it is not. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const compact = text.replace(/[\r\n]/g, '')
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined
  return Buffer.from(compact, 'base64')
}
