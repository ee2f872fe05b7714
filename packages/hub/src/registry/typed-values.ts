import type { FieldError, Json, JsonSchema } from '@orrery/api'
import { isList, isObject, type MutableObject } from './json-access.ts'

const maxInt32 = 2_147_483_647
const minInt32 = -2_147_483_648

/**
 * What a typed server's decoder does beyond the schema, for built-in kinds. It reads `null` as the zero
 * value: a field is left out, an entry of a map of strings is empty. Works in place on an object that the
 * caller owns; what the schema keeps as it is stays. Returns what no such decoder takes, in Go's words and
 * without the value where it may be a secret: integers beyond their format, bytes that are not base64.
 */
export function decodeTyped(object: MutableObject, schema: JsonSchema, path = ''): string | undefined {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true && schema.properties === undefined) return undefined
  let fault: string | undefined
  for (const [key, value] of Object.entries(object)) {
    if (key === 'metadata' && schema.properties?.['apiVersion'] !== undefined) continue
    const member = memberSchema(schema, key)
    if (value === null) {
      if (member?.nullable === true) continue
      if (member?.type === 'string' && schema.properties?.[key] === undefined) object[key] = ''
      else delete object[key]
      continue
    }
    if (member !== undefined) fault ??= decodeMember(value, member, path === '' ? key : `${path}.${key}`)
  }
  return fault
}

function decodeMember(value: Json, schema: JsonSchema, path: string): string | undefined {
  if (isObject(value)) return decodeTyped(value, schema, path)
  if (isList(value)) {
    let fault: string | undefined
    const { items } = schema
    if (items !== undefined) for (const item of value) fault ??= decodeMember(item, items, path)
    return fault
  }
  if (schema.format === 'int32' && (typeof value === 'number' || typeof value === 'bigint')) {
    if (value >= minInt32 && value <= maxInt32) return undefined
    return `json: cannot unmarshal number ${value} into Go struct field ${path} of type int32`
  }
  if (typeof value !== 'string') return undefined
  if (schema.pattern !== undefined && schema.format === 'date-time' && !new RegExp(schema.pattern).test(value)) {
    return `parsing time ${JSON.stringify(value.slice(0, 64))} as "2006-01-02T15:04:05.000000Z07:00"`
  }
  if (schema.format !== 'byte') return undefined
  const at = faultOfBase64(value)
  return at < 0 ? undefined : `illegal base64 data at input byte ${at}`
}

/** Where standard base64 ends to be that; -1 when it is whole. Line breaks are ignored, as Go does. */
function faultOfBase64(text: string): number {
  const bad = text.search(/[^A-Za-z0-9+/=\r\n]|=[^=\r\n]/)
  if (bad >= 0) return bad
  const compact = /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]/g, '') : text
  return compact.length % 4 === 0 && !/={3}$/.test(compact) ? -1 : text.length
}

function memberSchema(schema: JsonSchema, key: string): JsonSchema | undefined {
  const property = schema.properties
  if (property !== undefined && Object.hasOwn(property, key)) return property[key]
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
}

/**
 * Nulls in an applied configuration where the schema wants a value: whoever applies one means to own it,
 * so it is not dropped as in other writes. Embedded metadata is left alone.
 */
export function nullErrors(value: Json, schema: JsonSchema, path: string): FieldError[] {
  if (isList(value)) {
    const { items } = schema
    if (items === undefined) return []
    return value.flatMap((item, index) => nullErrors(item, items, `${path}[${index}]`))
  }
  if (isObject(value)) {
    return Object.entries(value).flatMap(([key, member]) => {
      const of = path === '' && key === 'metadata' ? undefined : memberSchema(schema, key)
      return of === undefined ? [] : nullErrors(member, of, path === '' ? key : `${path}.${key}`)
    })
  }
  const { type, nullable, default: standard } = schema
  if (value !== null || type === undefined || nullable === true || standard !== undefined) return []
  const message = `Invalid value: "null": ${path} in body must be of type ${type}: "null"`
  return [{ path, reason: 'FieldValueTypeInvalid', message }]
}
