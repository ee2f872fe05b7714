import { type FieldError, typeInvalid } from '../field-error.ts'
import { isJsonArray, isJsonObject, type Json, type JsonObject, type MutableJsonObject, setKey } from '../json/json.ts'
import type { JsonSchema } from './json-schema.ts'

/** Turns the JSON of a schema into a typed one: known keywords with values of their types. Says what does not fit. */

type Keyword =
  | 'string'
  | 'number'
  | 'boolean'
  | 'strings'
  | 'json'
  | 'list'
  | 'schema'
  | 'schemas'
  | 'schemaMap'
  | 'schemaOrBoolean'
  | 'docs'

const keywords: Readonly<Record<string, Keyword>> = {
  type: 'string',
  format: 'string',
  title: 'string',
  description: 'string',
  default: 'json',
  example: 'json',
  enum: 'list',
  nullable: 'boolean',
  properties: 'schemaMap',
  additionalProperties: 'schemaOrBoolean',
  items: 'schema',
  required: 'strings',
  pattern: 'string',
  minLength: 'number',
  maxLength: 'number',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'boolean',
  exclusiveMaximum: 'boolean',
  multipleOf: 'number',
  minItems: 'number',
  maxItems: 'number',
  uniqueItems: 'boolean',
  minProperties: 'number',
  maxProperties: 'number',
  allOf: 'schemas',
  anyOf: 'schemas',
  oneOf: 'schemas',
  not: 'schema',
  externalDocs: 'docs',
  'x-kubernetes-preserve-unknown-fields': 'boolean',
  'x-kubernetes-embedded-resource': 'boolean',
  'x-kubernetes-int-or-string': 'boolean',
  'x-kubernetes-list-type': 'string',
  'x-kubernetes-list-map-keys': 'strings',
  'x-kubernetes-map-type': 'string',
  'x-kubernetes-validations': 'list',
  'x-orrery-sensitive': 'boolean',
  'x-orrery-immutable': 'boolean',
}

/** Keywords that a structural schema must not have; kept, so that the check can name them. */
const refused = ['$ref', '$schema', 'id', 'definitions', 'dependencies', 'patternProperties', 'additionalItems']

/** How many faults one schema reports. */
const maxErrors = 50

export interface ParsedSchema {
  /** Without the members that do not fit. */
  readonly schema: JsonSchema
  readonly errors: readonly FieldError[]
}

/** Reads a schema from its JSON. Unknown keywords are dropped; the errors' paths start at `at`. */
export function parseJsonSchema(json: JsonObject, at: string): ParsedSchema {
  const errors: FieldError[] = []
  const parsed = parseNode(json, at, errors)
  if (!isSchema(parsed)) throw new TypeError('A parsed schema is an object.')
  return { schema: parsed, errors: errors.slice(0, maxErrors) }
}

/** Every member was checked when it was copied, so any such copy is a schema. */
const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null

function parseNode(json: JsonObject, at: string, errors: FieldError[]): JsonObject {
  const node: MutableJsonObject = {}
  for (const key of Object.keys(json)) {
    const value = json[key] ?? null
    // Go reads null as "not given"; a default of null is no default.
    if (value === null) continue
    if (refused.includes(key)) node[key] = value
    const keyword = Object.hasOwn(keywords, key) ? keywords[key] : undefined
    if (keyword === undefined) continue
    const parsed = parseMember(keyword, value, `${at}.${key}`, errors)
    if (parsed !== undefined) node[key] = parsed
  }
  return node
}

function parseMember(keyword: Keyword, value: Json, at: string, errors: FieldError[]): Json | undefined {
  if (keyword === 'json') return value
  if (keyword === 'list' && isJsonArray(value)) return value
  if (keyword === 'docs' && isJsonObject(value)) return value
  if (keyword === 'strings' && isJsonArray(value) && value.every((item) => typeof item === 'string')) return value
  if (keyword === 'number' && typeof value === 'bigint') return Number(value)
  if (typeof value === keyword) return value
  if (keyword === 'schemaOrBoolean' && typeof value === 'boolean') return value
  if ((keyword === 'schema' || keyword === 'schemaOrBoolean') && isJsonObject(value))
    return parseNode(value, at, errors)
  if (keyword === 'schemas' && isJsonArray(value)) return parseList(value, at, errors)
  if (keyword === 'schemaMap' && isJsonObject(value)) return parseMap(value, at, errors)
  const actual = isJsonArray(value) ? 'array' : typeof value
  errors.push(typeInvalid(at, actual, `must be ${expected[keyword]}`))
  return undefined
}

const expected: Readonly<Record<Keyword, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  strings: 'a list of strings',
  json: 'any value',
  list: 'a list',
  schema: 'a schema',
  schemas: 'a list of schemas',
  schemaMap: 'an object of schemas',
  schemaOrBoolean: 'a schema or a boolean',
  docs: 'an object',
}

function parseList(list: readonly Json[], at: string, errors: FieldError[]): Json {
  return list.flatMap((item, index) => {
    const parsed = parseMember('schema', item, `${at}[${index}]`, errors)
    return parsed === undefined ? [] : [parsed]
  })
}

function parseMap(map: JsonObject, at: string, errors: FieldError[]): Json {
  const result: MutableJsonObject = {}
  for (const name of Object.keys(map)) {
    const parsed = parseMember('schema', map[name] ?? null, `${at}[${name}]`, errors)
    if (parsed !== undefined) setKey(result, name, parsed)
  }
  return result
}
