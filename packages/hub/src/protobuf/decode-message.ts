import {
  formatMicroTime,
  formatTime,
  type Json,
  JsonError,
  type JsonObject,
  type MutableJsonObject,
  parseJson,
  setKey,
} from '@orrery/api'
import { jsonSchema } from './extension-messages.ts'
import type { Field, FieldType, Message } from './message.ts'
import { ProtobufError, WireReader, wireType } from './wire.ts'

/** A schema may hold schemas; deeper than this no body is walked. */
const maxDepth = 500

/** Turns a message into the JSON that a client would have sent for it. Throws {@link ProtobufError}. */
export function decodeMessage(reader: WireReader, message: Message, depth = 0): JsonObject {
  if (depth > maxDepth) throw new ProtobufError(`the protobuf message is nested more than ${maxDepth} levels deep`)
  const target: Target = { object: {}, lists: new Map(), maps: new Map(), depth }
  const { object } = target
  while (!reader.isAtEnd) {
    const { field: number, wire } = reader.tag()
    const field = message.get(number)
    if (field === undefined) reader.skip(wire)
    else decodeField(reader, { field, wire, target })
  }
  for (const field of message.values()) {
    if (field.presence !== 'always' || Object.hasOwn(object, field.name)) continue
    object[field.name] = zeroOf(field.type)
  }
  return object
}

/** What a message becomes. Lists and maps grow in place: their entries come one by one. */
interface Target {
  readonly object: MutableJsonObject
  readonly lists: Map<Field, Json[]>
  readonly maps: Map<Field, MutableJsonObject>
  readonly depth: number
}

function decodeField(
  reader: WireReader,
  { field, wire, target }: { readonly field: Field; readonly wire: number; readonly target: Target },
): void {
  const { object, lists, maps, depth } = target
  const { name, type, shape, presence } = field
  if (wire !== (shape === 'map' ? wireType.length : wireOf(type))) {
    throw new ProtobufError(`the field ${name} has the wrong wire type ${wire}`)
  }
  if (shape === 'map') {
    const entries = maps.get(field) ?? {}
    if (!maps.has(field)) object[name] = entries
    maps.set(field, entries)
    const { key, value } = decodeEntry(reader.message(), type, depth)
    setKey(entries, key, value)
  } else if (shape === 'list') {
    const items = lists.get(field) ?? []
    if (!lists.has(field)) object[name] = items
    lists.set(field, items)
    items.push(decodeValue(reader, type, depth) ?? null)
  } else {
    const value = decodeValue(reader, type, depth)
    if (value !== undefined && (presence !== 'zero' || !isZero(value, type))) object[name] = value
  }
}

function wireOf(type: FieldType): number {
  if (type === 'bool' || type === 'int32' || type === 'int64') return wireType.varint
  return type === 'double' ? wireType.fixed64 : wireType.length
}

function decodeEntry(
  reader: WireReader,
  type: FieldType,
  depth: number,
): { readonly key: string; readonly value: Json } {
  let key = ''
  let value: Json | undefined
  while (!reader.isAtEnd) {
    const { field, wire } = reader.tag()
    if (field === 1 && wire === wireType.length) key = reader.string()
    else if (field === 2 && wire === wireOf(type)) value = decodeValue(reader, type, depth)
    else reader.skip(wire)
  }
  return { key, value: value ?? zeroOf(type) }
}

function decodeValue(reader: WireReader, type: FieldType, depth: number): Json | undefined {
  if (typeof type === 'function') return decodeMessage(reader.message(), type(), depth + 1)
  if (type === 'string') return reader.string()
  if (type === 'bytes') return Buffer.from(reader.bytes()).toString('base64')
  if (type === 'bool') return reader.bool()
  if (type === 'int32') return reader.int32()
  if (type === 'int64') return reader.int64()
  if (type === 'double') return reader.double()
  if (type === 'time' || type === 'microTime') return decodeTime(reader.message(), type)
  if (type === 'rawJson') return decodeRawJson(reader.message())
  return type === 'strings' ? decodeStrings(reader.message()) : decodeSchemaOr(reader.message(), type, depth)
}

/** An empty message is the zero time, which JSON leaves out. */
function decodeTime(reader: WireReader, type: 'time' | 'microTime'): Json | undefined {
  if (reader.isAtEnd) return undefined
  let seconds = 0
  let nanos = 0
  while (!reader.isAtEnd) {
    const { field, wire } = reader.tag()
    if (field === 1 && wire === wireType.varint) seconds = Number(reader.int64())
    else if (field === 2 && wire === wireType.varint) nanos = reader.int32()
    else reader.skip(wire)
  }
  const epochMs = seconds * 1000
  if (Number.isNaN(new Date(epochMs).getTime())) throw new ProtobufError(`a time of ${seconds} seconds is out of range`)
  if (type === 'time') return formatTime(epochMs)
  const micros = Math.trunc(nanos / 1000)
    .toString()
    .padStart(6, '0')
  return formatMicroTime(epochMs).replace(/\.\d{6}Z$/, `.${micros}Z`)
}

function decodeRawJson(reader: WireReader): Json | undefined {
  let raw: Uint8Array | undefined
  while (!reader.isAtEnd) {
    const { field, wire } = reader.tag()
    if (field === 1 && wire === wireType.length) raw = reader.bytes()
    else reader.skip(wire)
  }
  if (raw === undefined || raw.length === 0) return undefined
  try {
    return parseJson(raw).value
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    throw new ProtobufError(`a field holds JSON that cannot be read: ${cause.message}`, { cause })
  }
}

/** Field 1 is a schema, or the boolean of `schemaOrBoolean`; field 2 the schema there, else a list. */
function decodeSchemaOr(
  reader: WireReader,
  type: 'schemaOrList' | 'schemaOrBoolean' | 'schemaOrNames',
  depth: number,
): Json {
  let first: Json | undefined
  const rest: Json[] = []
  while (!reader.isAtEnd) {
    const { field, wire } = reader.tag()
    if (type === 'schemaOrBoolean' && field === 1 && wire === wireType.varint) first = reader.bool()
    else if (field > 2 || wire !== wireType.length) reader.skip(wire)
    else if (field === 2 && type === 'schemaOrNames') rest.push(reader.string())
    else {
      const schema = decodeMessage(reader.message(), jsonSchema, depth + 1)
      if (field === 1) first = schema
      else rest.push(schema)
    }
  }
  if (type === 'schemaOrBoolean') return rest[0] ?? first ?? false
  return rest.length > 0 ? rest : (first ?? {})
}

function decodeStrings(reader: WireReader): Json {
  const items: string[] = []
  while (!reader.isAtEnd) {
    const { field, wire } = reader.tag()
    if (field === 1 && wire === wireType.length) items.push(reader.string())
    else reader.skip(wire)
  }
  return items
}

function isZero(value: Json, type: FieldType): boolean {
  if (typeof type === 'function') return typeof value === 'object' && value !== null && Object.keys(value).length === 0
  return type !== 'rawJson' && (value === '' || value === 0 || value === false)
}

function zeroOf(type: FieldType): Json {
  if (typeof type === 'function') return {}
  if (type === 'string' || type === 'bytes') return ''
  if (type === 'bool') return false
  return type === 'int32' || type === 'int64' || type === 'double' ? 0 : type === 'strings' ? [] : null
}
