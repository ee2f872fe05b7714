import { type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts'
import { equalJson, type Json } from '../json/json.ts'
import { checkDefault } from './check-defaults.ts'
import { checkListType, checkMapType } from './check-list-type.ts'
import type { JsonSchema } from './json-schema.ts'
import { patternFault } from './pattern.ts'

/** Nested deeper than any API that people write, and still cheap to walk recursively. */
const maxDepth = 64
/** Nodes, enum values and rules of one schema together: bounds compile time and memory. */
const maxNodes = 10_000
/** One rule costs about as much as this many nodes. */
const nodesPerRule = 20
/** How many errors one schema reports. */
const maxErrors = 50

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const forbiddenKeys = ['$ref', '$schema', 'id', 'definitions', 'dependencies', 'patternProperties', 'additionalItems']
const intOrString: Json = [{ type: 'integer' }, { type: 'string' }]

type Level = 'root' | 'field' | 'item'

interface Walk {
  readonly errors: FieldError[]
  /** Keywords that no structural schema has; Kubernetes names nothing else beside them. */
  readonly unsupported: FieldError[]
  nodes: number
}

/** What makes a CRD's schema non-structural or beyond a limit (depth 64, 10,000 nodes, bad pattern). Paths start at `at`. */
export function checkStructural(schema: JsonSchema, at: string): FieldError[] {
  const walk: Walk = { errors: [], unsupported: [], nodes: 0 }
  checkNode(schema, { path: at, level: 'root', depth: 0, walk })
  if (walk.nodes > maxNodes) {
    return [
      forbidden(
        at,
        `the schema has more than ${maxNodes} nodes, enum values and rules; split the kind or shorten the lists`,
      ),
    ]
  }
  const errors = walk.unsupported.length > 0 ? walk.unsupported : walk.errors
  return errors.sort((a, b) => (a.path + a.message < b.path + b.message ? -1 : 1)).slice(0, maxErrors)
}

interface Place {
  readonly path: string
  readonly level: Level
  readonly depth: number
  readonly walk: Walk
}

/** Counts a node; false when the walk must stop here. */
function enter(schema: JsonSchema, place: Place): boolean {
  const { walk } = place
  walk.nodes += 1 + (schema.enum?.length ?? 0) + nodesPerRule * (schema['x-kubernetes-validations']?.length ?? 0)
  if (walk.nodes > maxNodes) return false
  if (place.depth <= maxDepth) return true
  walk.errors.push(forbidden(place.path, `the schema is nested more than ${maxDepth} levels deep; flatten it`))
  return false
}

function checkNode(schema: JsonSchema, place: Place): void {
  if (!enter(schema, place)) return
  const { path, walk, depth } = place
  const { errors } = walk
  checkType(schema, place)
  checkKeywords(schema, path, walk)
  if (schema.default !== undefined && place.level !== 'root') errors.push(...checkDefault(schema, schema.default, path))
  errors.push(...checkValues(schema, path), ...checkListType(schema, path), ...checkMapType(schema, path))
  const child = (suffix: string, level: Level): Place => ({ path: `${path}.${suffix}`, level, depth: depth + 1, walk })
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (place.level === 'root' && name === 'metadata')
      checkRootMetadata(property, `${path}.properties[metadata]`, errors)
    else checkNode(property, child(`properties[${name}]`, 'field'))
  }
  if (schema.items !== undefined) checkNode(schema.items, child('items', 'item'))
  if (typeof schema.additionalProperties === 'object') {
    checkNode(schema.additionalProperties, child('additionalProperties', 'field'))
  }
  checkJunctors(schema, place)
}

function checkType(schema: JsonSchema, { path, level, walk: { errors } }: Place): void {
  const { type = '' } = schema
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true
  if (type !== '' && !types.includes(type)) {
    errors.push(notSupported(`${path}.type`, type, types))
    if (type === 'null')
      errors.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'))
  }
  if (isEmbedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true'
    errors.push(type === '' ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail))
  } else if (type === '' && !isIntOrString && !preserves) {
    const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }[
      level
    ]
    errors.push(required(`${path}.type`, `must not be empty ${where}`))
  }
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalid(`${path}.type`, type, 'must be object at the root'))
  if (level === 'root' && schema.additionalProperties !== undefined) {
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used at the root'))
  }
  if (type === 'array' && schema.items === undefined) errors.push(required(`${path}.items`, 'must be specified'))
  if (isIntOrString && preserves) {
    errors.push(
      invalid(
        `${path}.x-kubernetes-preserve-unknown-fields`,
        true,
        'must be false if x-kubernetes-int-or-string is true',
      ),
    )
  }
  if (isIntOrString && isEmbedded) {
    errors.push(
      invalid(`${path}.x-kubernetes-embedded-resource`, true, 'must be false if x-kubernetes-int-or-string is true'),
    )
  }
  if (isEmbedded && !preserves && Object.keys(schema.properties ?? {}).length === 0) {
    const detail =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'
    errors.push(required(`${path}.properties`, detail))
  }
  if (isEmbedded && schema.additionalProperties !== undefined) {
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'))
  }
}

function checkKeywords(schema: JsonSchema, path: string, { errors, unsupported }: Walk): void {
  for (const key of forbiddenKeys) {
    if (Object.hasOwn(schema, key)) unsupported.push(forbidden(`${path}.${key}`, `${key} is not supported`))
  }
  if (schema.uniqueItems === true) {
    errors.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  }
  if (schema.additionalProperties !== undefined && Object.keys(schema.properties ?? {}).length > 0) {
    errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'))
  }
}

/** Value validations that can never hold, or that no engine can run. */
function checkValues(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const fault = schema.pattern === undefined || schema.pattern === '' ? undefined : patternFault(schema.pattern)
  if (fault !== undefined) {
    errors.push(invalid(`${path}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${fault}`))
  }
  const bounds = {
    minLength: 'maxLength',
    minItems: 'maxItems',
    minProperties: 'maxProperties',
    minimum: 'maximum',
  } as const
  for (const [low, high] of Object.entries(bounds)) {
    const min = numberOf(schema, low)
    const max = numberOf(schema, high)
    if (low !== 'minimum') {
      if (min !== undefined && min < 0)
        errors.push(invalid(`${path}.${low}`, min, 'must be greater than or equal to 0'))
      if (max !== undefined && max < 0)
        errors.push(invalid(`${path}.${high}`, max, 'must be greater than or equal to 0'))
    }
    if (min !== undefined && max !== undefined && min > max) {
      errors.push(invalid(`${path}.${low}`, min, `must not be greater than ${high}`))
    }
  }
  if (schema.multipleOf !== undefined && schema.multipleOf <= 0) {
    errors.push(invalid(`${path}.multipleOf`, schema.multipleOf, 'must be greater than 0'))
  }
  return errors
}

function numberOf(schema: JsonSchema, key: string): number | undefined {
  const value: unknown = Reflect.get(schema, key)
  return typeof value === 'number' ? value : undefined
}

/** The metadata of the root is implicit; only its names may be restricted. */
function checkRootMetadata(schema: JsonSchema, path: string, errors: FieldError[]): void {
  if (schema.type !== 'object') errors.push(invalid(`${path}.type`, schema.type ?? '', 'must be object'))
  const { type: _type, default: _default, properties = {}, description: _description, ...rest } = schema
  const names = Object.keys(properties)
  if (names.every((name) => name === 'name' || name === 'generateName') && Object.keys(rest).length === 0) return
  const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified'
  errors.push(forbidden(path, detail))
}

function checkJunctors(schema: JsonSchema, { path, depth, walk }: Place): void {
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true
  const nested = (branch: JsonSchema, suffix: string): void => {
    checkNested(branch, { path: `${path}.${suffix}`, level: 'field', depth: depth + 1, walk })
  }
  for (const [i, branch] of (schema.allOf ?? []).entries()) {
    if (!(isIntOrString && i === 0 && isTypeChoice(branch.anyOf))) nested(branch, `allOf[${i}]`)
  }
  if (!(isIntOrString && isTypeChoice(schema.anyOf))) {
    for (const [i, branch] of (schema.anyOf ?? []).entries()) nested(branch, `anyOf[${i}]`)
  }
  for (const [i, branch] of (schema.oneOf ?? []).entries()) nested(branch, `oneOf[${i}]`)
  if (schema.not !== undefined) nested(schema.not, 'not')
}

const isTypeChoice = (branches: readonly JsonSchema[] | undefined): boolean => equalJson(branches, intOrString)

const nestedRules: readonly [string, string][] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

/** Inside a junctor only value validations may stand. */
function checkNested(schema: JsonSchema, place: Place): void {
  if (!enter(schema, place)) return
  const { path, depth, walk } = place
  for (const [key, detail] of nestedRules) {
    const value: unknown = Reflect.get(schema, key)
    if (value === undefined || value === false || value === '') continue
    walk.errors.push(forbidden(`${path}.${key}`, detail))
  }
  walk.errors.push(...checkValues(schema, path))
  const child = (suffix: string): Place => ({ path: `${path}.${suffix}`, level: 'field', depth: depth + 1, walk })
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (name === 'metadata') {
      walk.errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'))
    } else checkNested(property, child(`properties[${name}]`))
  }
  if (schema.items !== undefined) checkNested(schema.items, child('items'))
  checkJunctors(schema, place)
}
