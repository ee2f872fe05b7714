import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonArray,
  type JsonObject,
  type MutableJsonObject,
  setKey,
} from '../json/json.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import { objectMetaSchema } from '../schema/object-meta-schema.ts'
import { keyElement, type PathElement, valueElement } from './path-element.ts'

/** How field management sees a schema: what is a leaf, what is merged, and by what items are found again. */
export type FieldType = ScalarType | ListType | MapType | { readonly kind: 'deduced' }

export interface ScalarType {
  readonly kind: 'scalar'
  readonly accepts: 'string' | 'numeric' | 'boolean' | 'untyped'
}

export interface ListType {
  readonly kind: 'list'
  readonly isAtomic: boolean
  readonly items: FieldType
  /** The element an item is known by; undefined for items that cannot be told apart, and in atomic lists. */
  readonly elementOf: (item: Json) => PathElement | undefined
}

export interface MapType {
  readonly kind: 'map'
  readonly isAtomic: boolean
  /** The type of a named field. */
  readonly field: (name: string) => FieldType | undefined
  /** The type of every other key; undefined when there may be none. */
  readonly element: FieldType | undefined
}

/** What a value is when its type is deduced from the value: maps are granular, lists atomic. */
export type Shape = ScalarType | ListType | MapType

const untyped: ScalarType = { kind: 'scalar', accepts: 'untyped' }
const deduced: FieldType = { kind: 'deduced' }
const deducedMap: MapType = { kind: 'map', isAtomic: false, field: () => undefined, element: deduced }
const deducedList: ListType = { kind: 'list', isAtomic: true, items: deduced, elementOf: () => undefined }

/** Types live as long as the schemas they belong to. */
const types = new WeakMap<JsonSchema, FieldType>()
const rootTypes = new WeakMap<JsonSchema, MapType>()

/** The type of a whole object: its schema, with the metadata that every kind has. */
export function rootTypeOf(schema: JsonSchema): MapType {
  const known = rootTypes.get(schema)
  if (known !== undefined) return known
  const inner = typeOf(schema)
  const metadata = typeOf(objectMetaSchema)
  const string: ScalarType = { kind: 'scalar', accepts: 'string' }
  const implicit = new Map<string, FieldType>([
    ['apiVersion', string],
    ['kind', string],
    ['metadata', metadata],
  ])
  const base = inner.kind === 'map' ? inner : deducedMap
  const root: MapType = {
    kind: 'map',
    isAtomic: false,
    field: (name) => implicit.get(name) ?? base.field(name),
    element: base.element,
  }
  rootTypes.set(schema, root)
  return root
}

function typeOf(schema: JsonSchema): FieldType {
  const known = types.get(schema)
  if (known !== undefined) return known
  const type = makeType(schema)
  types.set(schema, type)
  return type
}

function makeType(schema: JsonSchema): FieldType {
  if (schema['x-kubernetes-int-or-string'] === true) return untyped
  const { type, format = '' } = schema
  if (type === 'string') return { kind: 'scalar', accepts: format === '' || format === 'byte' ? 'string' : 'untyped' }
  if (type === 'integer' || type === 'number') return { kind: 'scalar', accepts: 'numeric' }
  if (type === 'boolean') return { kind: 'scalar', accepts: 'boolean' }
  if (type === 'array') return makeList(schema)
  return makeMap(schema)
}

function makeList(schema: JsonSchema): FieldType {
  const listType = schema['x-kubernetes-list-type']
  const items = schema.items === undefined ? deduced : typeOf(schema.items)
  if (listType === 'set') return { kind: 'list', isAtomic: false, items, elementOf: setElement }
  if (listType !== 'map') return { kind: 'list', isAtomic: true, items, elementOf: () => undefined }
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []).toSorted()
  const defaults: MutableJsonObject = {}
  for (const key of keys) {
    const value = schema.items?.properties?.[key]?.default
    if (value !== undefined) setKey(defaults, key, value)
  }
  return { kind: 'list', isAtomic: false, items, elementOf: (item) => keyElement(item, keys, defaults) }
}

const setElement = (item: Json): PathElement | undefined => (item === null ? undefined : valueElement(item))

function makeMap(schema: JsonSchema): FieldType {
  const { properties, additionalProperties } = schema
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  const isOpen = additionalProperties === undefined || typeof additionalProperties === 'boolean'
  if (properties === undefined && isOpen && !isEmbedded) return deduced
  const fields = new Map<string, FieldType>()
  if (isEmbedded) fields.set('metadata', typeOf(objectMetaSchema))
  for (const [name, property] of Object.entries(properties ?? {})) {
    if (!(isEmbedded && name === 'metadata')) fields.set(name, typeOf(property))
  }
  const element =
    typeof additionalProperties === 'object' ? typeOf(additionalProperties) : preserves ? deduced : undefined
  const isAtomic = schema['x-kubernetes-map-type'] === 'atomic'
  return { kind: 'map', isAtomic, field: (name) => fields.get(name), element }
}

/** Gives a value's shape. A value of another type than declared counts as a leaf; nothing is known of null. */
export function shapeOf(type: FieldType, value: Json | undefined): Shape | undefined {
  if (value === undefined || value === null) return undefined
  if (type.kind === 'deduced') return isJsonArray(value) ? deducedList : isJsonObject(value) ? deducedMap : untyped
  if (type.kind === 'list') return isJsonArray(value) ? type : untyped
  if (type.kind === 'map') return isJsonObject(value) ? type : untyped
  return type
}

/** The type of a map's member. */
export function memberType(map: MapType, name: string): FieldType {
  return map.field(name) ?? map.element ?? deduced
}

/** The members of a map value; null and other values have none. */
export const membersOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
/** The items of a list value; null and other values have none. */
export const itemsOf = (value: Json | undefined): JsonArray => (isJsonArray(value) ? value : [])
