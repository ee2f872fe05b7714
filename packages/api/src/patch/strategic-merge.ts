import {
  equalJson,
  getKey,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonArray,
  type JsonObject,
  type MutableJsonObject,
  setKey,
} from '../json/json.ts'
import { canonicalJson } from '../json/stringify.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import { mergeOrdered } from './element-order.ts'
import { PatchError } from './patch-error.ts'

const deletePrefix = '$deleteFromPrimitiveList/'
const orderPrefix = '$setElementOrder/'
const retainKeys = '$retainKeys'
const directive = '$patch'

/**
 * Kubernetes' strategic merge patch over a schema that carries `x-kubernetes-patch-strategy` and
 * `x-kubernetes-patch-merge-key`: `$patch` (replace, delete, merge), `$deleteFromPrimitiveList/x`,
 * `$setElementOrder/x`, `$retainKeys`. Throws `PatchError`. The input is not changed.
 */
export function applyStrategicMerge(target: JsonObject, patch: JsonObject, schema: JsonSchema): JsonObject {
  return mergeMap(target, patch, schema)
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: JsonSchema | undefined): JsonObject {
  const instruction = getKey(patch, directive)
  if (instruction !== undefined) return directed(instruction, original, patch, schema)
  const result: MutableJsonObject = {}
  const retained = retainedKeys(patch)
  for (const key of Object.keys(original)) {
    if (retained === undefined || retained.has(key)) setKey(result, key, original[key])
  }
  const ordered = new Set<string>()
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(orderPrefix)) continue
    const name = key.slice(orderPrefix.length)
    ordered.add(name)
    mergeWithOrder({ name, order: listOf(patch[key], key), result, patch, field: fieldSchema(schema, name) })
  }
  for (const key of Object.keys(patch)) {
    if (key === retainKeys || key.startsWith(orderPrefix) || ordered.has(key)) continue
    if (key.startsWith(deletePrefix)) removePrimitives(result, key.slice(deletePrefix.length), listOf(patch[key], key))
    else mergeMember(result, key, patch[key] ?? null, fieldSchema(schema, key))
  }
  return result
}

/** `$patch` inside a map. A map that is merged with `$patch: delete` becomes empty, as in Kubernetes. */
function directed(
  instruction: Json,
  original: JsonObject,
  patch: JsonObject,
  schema: JsonSchema | undefined,
): JsonObject {
  const { [directive]: _, ...rest } = patch
  if (instruction === 'replace') return rest
  if (instruction === 'delete') return {}
  if (instruction === 'merge') return mergeMap(original, rest, schema)
  throw malformed(`unknown patch type: ${goText(instruction)} in map: ${goText(patch)}`)
}

function retainedKeys(patch: JsonObject): ReadonlySet<string> | undefined {
  const keys = getKey(patch, retainKeys)
  if (keys === undefined) return undefined
  const retained = new Set<string>()
  for (const key of listOf(keys, retainKeys)) if (typeof key === 'string') retained.add(key)
  for (const key of Object.keys(patch)) {
    const isDirective = key === retainKeys || key.startsWith(deletePrefix) || key.startsWith(orderPrefix)
    if (!isDirective && patch[key] !== null && !retained.has(key)) throw malformed('invalid patch format of retainKeys')
  }
  return retained
}

function mergeMember(result: MutableJsonObject, key: string, change: Json, field: JsonSchema | undefined): void {
  const current = getKey(result, key)
  if (change === null) {
    delete result[key]
    return
  }
  const strategies = strategiesOf(field)
  if (isJsonObject(current) && isJsonObject(change) && !strategies.includes('replace')) {
    setKey(result, key, mergeMap(current, change, field))
  } else if (isJsonArray(current) && isJsonArray(change) && strategies.includes('merge')) {
    setKey(result, key, mergeList(current, change, field))
  } else {
    const clean = withoutDirectives(change)
    if (clean === undefined) delete result[key]
    else setKey(result, key, clean)
  }
}

function mergeWithOrder(options: {
  readonly name: string
  readonly order: JsonArray
  readonly result: MutableJsonObject
  readonly patch: JsonObject
  readonly field: JsonSchema | undefined
}): void {
  const { name, order, result, patch, field } = options
  const original = getKey(result, name)
  const change = getKey(patch, name)
  const mergeKey = field?.['x-kubernetes-patch-merge-key']
  const before = original === undefined ? [] : listOf(original, name)
  const added = change === undefined || change === null ? [] : listOf(change, name)
  checkOrder(added, order, mergeKey)
  if (original === undefined && added.length === 0) return
  const merged = strategiesOf(field).includes('merge') || change === undefined ? mergeList(before, added, field) : added
  setKey(result, name, mergeOrdered({ merged, order, live: before, textOf: (item) => identityOf(item, mergeKey) }))
}

/** Every element of the patch list must stand in the order list, in the same sequence. */
function checkOrder(patch: JsonArray, order: JsonArray, mergeKey: string | undefined): void {
  const items = patch.filter((item) => !(isJsonObject(item) && Object.hasOwn(item, directive)))
  let position = 0
  for (const item of items) {
    const text = identityOf(item, mergeKey)
    while (position < order.length && identityOf(order[position] ?? null, mergeKey) !== text) position++
    if (position++ < order.length) continue
    const lists = `${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}`
    throw malformed(`The order in patch list:\n${lists}\n`)
  }
}

function mergeList(original: JsonArray, patch: JsonArray, field: JsonSchema | undefined): JsonArray {
  const mergeKey = field?.['x-kubernetes-patch-merge-key']
  if (![...original, ...patch].some(isJsonObject)) {
    const merged = [...new Map([...original, ...patch].map((item) => [canonicalJson(item), item])).values()]
    return mergeOrdered({ merged, order: patch, live: original, textOf: canonicalJson })
  }
  if (mergeKey === undefined) throw malformed('cannot merge lists without merge key')
  const textOf = (item: Json): string => identityOf(item, mergeKey)
  const { kept, changes } = applyItemDirectives(original, patch, mergeKey)
  const merged = [...kept]
  const positions = new Map(merged.map((item, index) => [textOf(item), index]))
  for (const change of changes) {
    const text = textOf(change)
    const index = positions.get(text)
    if (index === undefined) {
      positions.set(text, merged.length)
      merged.push(withoutDirectives(change) ?? change)
    } else {
      const current = merged[index]
      merged[index] = isJsonObject(current) && isJsonObject(change) ? mergeMap(current, change, field?.items) : change
    }
  }
  return mergeOrdered({ merged, order: changes, live: kept, textOf })
}

/** `{$patch: delete, name: x}` removes an element, `{$patch: replace}` makes the patch the whole list. */
function applyItemDirectives(
  original: JsonArray,
  patch: JsonArray,
  mergeKey: string,
): { readonly kept: JsonArray; readonly changes: JsonArray } {
  const deleted = new Set<string>()
  const changes: Json[] = []
  let replaces = false
  for (const item of patch) {
    const instruction = isJsonObject(item) ? getKey(item, directive) : undefined
    if (instruction === undefined) changes.push(item)
    else if (instruction === 'delete') deleted.add(identityOf(item, mergeKey))
    else if (instruction === 'replace') replaces = true
    else if (instruction === 'merge') throw malformed('merging lists cannot yet be specified in the patch')
    else throw malformed(`unknown patch type: ${goText(instruction)} in map: ${goText(item)}`)
  }
  if (replaces) return { kept: [], changes }
  const kept = deleted.size === 0 ? original : original.filter((item) => !deleted.has(identityOf(item, mergeKey)))
  return { kept, changes }
}

function removePrimitives(result: MutableJsonObject, name: string, values: JsonArray): void {
  const current = getKey(result, name)
  if (!isJsonArray(current)) return
  setKey(
    result,
    name,
    current.filter((item) => !values.some((value) => equalJson(value, item))),
  )
}

/** New values come without nulls and without the parts that only directed a merge; undefined when nothing is left. */
function withoutDirectives(value: Json): Json | undefined {
  if (isJsonArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined)
  if (!isJsonObject(value)) return value
  if (Object.hasOwn(value, directive)) return undefined
  const clean: MutableJsonObject = {}
  for (const key of Object.keys(value)) {
    if (key === retainKeys || key.startsWith(orderPrefix) || key.startsWith(deletePrefix)) continue
    const member = value[key] ?? null
    const inner = member === null ? undefined : withoutDirectives(member)
    if (inner !== undefined) setKey(clean, key, inner)
  }
  return clean
}

const strategiesOf = (field: JsonSchema | undefined): readonly string[] =>
  field?.['x-kubernetes-patch-strategy']?.split(',') ?? []

function fieldSchema(schema: JsonSchema | undefined, key: string): JsonSchema | undefined {
  const { properties, additionalProperties } = schema ?? {}
  if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key]
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

function identityOf(item: Json, mergeKey: string | undefined): string {
  if (mergeKey === undefined || !isJsonObject(item)) return canonicalJson(item)
  const value = getKey(item, mergeKey)
  if (value === undefined) throw malformed(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`)
  return canonicalJson(value)
}

function listOf(value: Json | undefined, name: string): JsonArray {
  if (isJsonArray(value)) return value
  throw malformed(`${name}: expected a []interface {}, but received a ${value === null ? 'nil' : typeof value}`)
}

const malformed = (message: string): PatchError => new PatchError('malformed', message)

/** A value as Go's `%v` prints it, which is how Kubernetes names elements in these errors. */
function goText(value: Json): string {
  if (isJsonArray(value)) return `[${value.map(goText).join(' ')}]`
  if (!isJsonObject(value)) return value === null ? '<nil>' : String(value)
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${key}:${goText(value[key] ?? null)}`)
  return `map[${members.join(' ')}]`
}
