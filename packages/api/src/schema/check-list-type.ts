import { type FieldError, invalid, notSupported, required } from '../field-error.ts'
import type { JsonSchema } from './json-schema.ts'

/** The rules of `x-kubernetes-list-type`, its map keys, and `x-kubernetes-map-type`. */

export function checkListType(schema: JsonSchema, path: string): FieldError[] {
  const listType: string | undefined = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const errors: FieldError[] = []
  if (listType !== undefined && schema.type !== 'array') {
    errors.push(wrongType(schema, path, 'must be array if x-kubernetes-list-type is specified'))
  } else if (listType === 'set') {
    errors.push(...checkSetItems(schema.items, `${path}.items`))
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']))
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const at = `${path}.x-kubernetes-list-type`
    errors.push(listType === undefined ? required(at, detail) : invalid(at, listType, detail))
  }
  if (listType === 'map') errors.push(...checkMapItems(schema, keys, path))
  return errors
}

function wrongType(schema: JsonSchema, path: string, detail: string): FieldError {
  const { type = '' } = schema
  return type === '' ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail)
}

/** Items of a set are compared whole, so nothing below them may be merged. */
function checkSetItems(items: JsonSchema | undefined, path: string): FieldError[] {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const itemListType = items?.['x-kubernetes-list-type']
  const itemMapType = items?.['x-kubernetes-map-type']
  if (items?.type === 'array' && itemListType !== undefined && itemListType !== 'atomic') {
    return [invalid(`${path}.x-kubernetes-list-type`, itemListType, detail)]
  }
  if (items?.type === 'object' && itemMapType !== 'atomic') {
    return [invalid(`${path}.x-kubernetes-map-type`, itemMapType ?? null, detail)]
  }
  return []
}

function checkMapItems(schema: JsonSchema, keys: readonly string[], path: string): FieldError[] {
  const { items } = schema
  const keysPath = `${path}.x-kubernetes-list-map-keys`
  const errors: FieldError[] = []
  if (keys.length === 0) errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'))
  if (items === undefined) {
    return [...errors, required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')]
  }
  if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map"
    return [...errors, invalid(`${path}.items.type`, items.type ?? '', detail)]
  }
  if (new Set(keys).size !== keys.length) errors.push(invalid(keysPath, keys, 'must not contain duplicate entries'))
  for (const key of keys) errors.push(...checkMapKey({ key, keys, items, path }))
  return errors
}

function checkMapKey(options: {
  readonly key: string
  readonly keys: readonly string[]
  readonly items: JsonSchema
  readonly path: string
}): FieldError[] {
  const { key, keys, items, path } = options
  const property = Object.hasOwn(items.properties ?? {}, key) ? items.properties?.[key] : undefined
  const propertyPath = `${path}.items.properties[${key}]`
  if (property === undefined) {
    return [invalid(`${path}.x-kubernetes-list-map-keys`, keys, 'entries must all be names of item properties')]
  }
  const errors: FieldError[] = []
  if (property.type === 'array' || property.type === 'object') {
    const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
    errors.push(invalid(`${propertyPath}.type`, property.type, detail))
  }
  if (property.nullable === true) {
    const detail = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'
    errors.push({ path: `${propertyPath}.nullable`, reason: 'FieldValueForbidden', message: `Forbidden: ${detail}` })
  }
  if (property.default === undefined && !(items.required ?? []).includes(key)) {
    const detail = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
    errors.push(required(`${propertyPath}.default`, detail))
  }
  return errors
}

/** Objects are granular unless they say `atomic`. */
export function checkMapType(schema: JsonSchema, path: string): FieldError[] {
  const mapType: string | undefined = schema['x-kubernetes-map-type']
  if (mapType === undefined) return []
  const errors: FieldError[] = []
  if (schema.type !== 'object')
    errors.push(wrongType(schema, path, 'must be object if x-kubernetes-map-type is specified'))
  if (mapType !== 'atomic' && mapType !== 'granular') {
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']))
  }
  return errors
}
