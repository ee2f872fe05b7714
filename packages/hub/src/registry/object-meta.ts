import type { Json, JsonObject } from '@orrery/api'
import { badRequest } from '../http/errors.ts'
import { isList, isObject, type MutableObject } from './json-access.ts'

type FieldType = 'string' | 'integer' | 'boolean' | 'time' | 'strings' | 'string-map' | 'raw' | 'owners' | 'managers'

/** `metav1.ObjectMeta` in the order in which it is stored. */
const metadataFields: Readonly<Record<string, FieldType>> = {
  name: 'string',
  generateName: 'string',
  namespace: 'string',
  selfLink: 'string',
  uid: 'string',
  resourceVersion: 'string',
  generation: 'integer',
  creationTimestamp: 'time',
  deletionTimestamp: 'time',
  deletionGracePeriodSeconds: 'integer',
  labels: 'string-map',
  annotations: 'string-map',
  ownerReferences: 'owners',
  finalizers: 'strings',
  managedFields: 'managers',
}

const ownerFields: Readonly<Record<string, FieldType>> = {
  apiVersion: 'string',
  kind: 'string',
  name: 'string',
  uid: 'string',
  controller: 'boolean',
  blockOwnerDeletion: 'boolean',
}

const managerFields: Readonly<Record<string, FieldType>> = {
  manager: 'string',
  operation: 'string',
  apiVersion: 'string',
  time: 'time',
  fieldsType: 'string',
  // Kept as it is: who sends what is no set of fields keeps the old managers.
  fieldsV1: 'raw',
  subresource: 'string',
}

export interface DecodedMetadata {
  readonly metadata: MutableObject
  /** Paths of members that ObjectMeta does not have. */
  readonly unknown: readonly string[]
}

/**
 * Reads `metadata` of a request as a typed server does: wrong types are refused (400), unknown members
 * dropped, nulls and empty values left out. An empty `managedFields` stays, it means "forget".
 */
export function decodeMetadata(value: Json | undefined): DecodedMetadata {
  const unknown: string[] = []
  if (value === undefined || value === null) return { metadata: {}, unknown }
  const metadata = decodeFields(value, metadataFields, { path: 'metadata', unknown })
  return { metadata, unknown }
}

interface Place {
  readonly path: string
  readonly unknown: string[]
}

function decodeFields(value: Json, fields: Readonly<Record<string, FieldType>>, place: Place): MutableObject {
  if (!isObject(value)) throw wrongType(value, place.path, 'v1.ObjectMeta')
  const decoded: MutableObject = {}
  for (const [key, type] of Object.entries(fields)) {
    const member = Object.hasOwn(value, key) ? value[key] : undefined
    if (member === undefined || member === null) continue
    const result = decodeField(member, type, { path: `${place.path}.${key}`, unknown: place.unknown })
    if (result !== undefined) decoded[key] = result
  }
  for (const key of Object.keys(value)) if (!Object.hasOwn(fields, key)) place.unknown.push(`${place.path}.${key}`)
  return decoded
}

/** Undefined for values that a typed server leaves out. */
function decodeField(value: Json, type: FieldType, place: Place): Json | undefined {
  switch (type) {
    case 'string':
      if (typeof value !== 'string') throw wrongType(value, place.path, 'string')
      return value === '' ? undefined : value
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, place.path, 'int64')
      return value
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(value, place.path, 'bool')
      return value
    case 'time':
      return decodeTime(value, place.path)
    case 'raw':
      return value
    case 'string-map':
      return decodeStringMap(value, place.path)
    case 'strings':
      return decodeStrings(value, place.path)
    case 'owners':
      return decodeList(value, ownerFields, place, false)
    case 'managers':
      return decodeList(value, managerFields, place, true)
  }
}

function decodeTime(value: Json, path: string): string {
  if (typeof value !== 'string') throw wrongType(value, path, 'Time')
  const match = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(value)
  const ms = match ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) {
    throw badRequest(
      `parsing time ${JSON.stringify(value.slice(0, 64))} in ${path}: it must be RFC 3339, e.g. 2026-01-02T15:04:05Z`,
    )
  }
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function decodeStringMap(value: Json, path: string): Json | undefined {
  if (!isObject(value)) throw wrongType(value, path, 'map[string]string')
  const entries = Object.entries(value).map(([key, member]): [string, Json] => {
    if (member === null) return [key, '']
    if (typeof member !== 'string') throw wrongType(member, path, 'string')
    return [key, member]
  })
  // fromEntries defines own properties, also for the key `__proto__`.
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function decodeStrings(value: Json, path: string): Json | undefined {
  if (!isList(value)) throw wrongType(value, path, '[]string')
  const items = value.map((item): string => {
    if (item === null) return ''
    if (typeof item !== 'string') throw wrongType(item, path, 'string')
    return item
  })
  return items.length === 0 ? undefined : items
}

function decodeList(
  value: Json,
  fields: Readonly<Record<string, FieldType>>,
  place: Place,
  keepEmpty: boolean,
): Json | undefined {
  if (!isList(value)) throw wrongType(value, place.path, 'list')
  const items = value.map((item, index) => decodeFields(item, fields, { ...place, path: `${place.path}[${index}]` }))
  return items.length === 0 && !keepEmpty ? undefined : items
}

function wrongType(value: Json, path: string, wanted: string): Error {
  const field = path.replace(/^metadata\./, 'ObjectMeta.').replaceAll(/\[\d+\]/g, '')
  return badRequest(`json: cannot unmarshal ${goTypeOf(value)} into Go struct field ${field} of type ${wanted}`)
}

function goTypeOf(value: Json): string {
  if (value === null) return 'null'
  if (isList(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'bigint' ? 'number' : typeof value
}

/** Metadata in its canonical order of members, so that stored objects read alike. */
export function orderMetadata(metadata: JsonObject): MutableObject {
  const ordered: MutableObject = {}
  for (const key of Object.keys(metadataFields)) {
    const value = metadata[key]
    if (value !== undefined) ordered[key] = value
  }
  return ordered
}
