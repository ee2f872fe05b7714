import type { JsonSchema } from '@orrery/api'
import { isList, isObject, type MutableObject } from './json-access.ts'

/**
 * A typed server reads `null` as the zero value: a field is left out, an entry of a map of strings is
 * empty. Works in place on an object that the caller owns; what the schema keeps as it is stays.
 */
export function dropNulls(object: MutableObject, schema: JsonSchema): void {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true && schema.properties === undefined) return
  for (const [key, value] of Object.entries(object)) {
    if (key === 'metadata' && schema.properties?.['apiVersion'] !== undefined) continue
    const member = memberSchema(schema, key)
    if (value === null) {
      if (member?.nullable === true) continue
      if (member?.type === 'string' && schema.properties?.[key] === undefined) object[key] = ''
      else delete object[key]
      continue
    }
    if (member === undefined) continue
    if (isObject(value)) dropNulls(value, member)
    else if (isList(value) && member.items !== undefined) {
      for (const item of value) if (isObject(item)) dropNulls(item, member.items)
    }
  }
}

function memberSchema(schema: JsonSchema, key: string): JsonSchema | undefined {
  const property = schema.properties
  if (property !== undefined && Object.hasOwn(property, key)) return property[key]
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
}
