import { cloneJson, isJsonArray, isJsonObject, type Json, type MutableJsonObject, setKey } from '../json/json.ts'
import { formatPath } from '../json/scanner.ts'
import type { JsonSchema } from './json-schema.ts'

/** The two passes that change an object: pruning and defaulting. Both compile to closures; undefined means nothing to do. */

/** How many pruned paths are reported. */
const maxPaths = 100

/** Where a pass stands, and what it found. */
export interface PruneContext {
  readonly path: (string | number)[]
  readonly removed: string[]
}

type Prune = (value: Json, context: PruneContext) => void

const metaKeys: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

const isMutableObject = (value: Json): value is MutableJsonObject => isJsonObject(value)

/** Compiles the pruning of one schema node. `isResource` keeps apiVersion, kind and metadata. */
export function compilePrune(schema: JsonSchema | undefined, isResource: boolean): Prune | undefined {
  if (schema === undefined) return pruneEverything
  if (schema['x-kubernetes-int-or-string'] === true) return undefined
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true
  const isEmbedded = isResource || schema['x-kubernetes-embedded-resource'] === true
  if (isScalar(schema)) return undefined
  const fields = new Map<string, Prune | undefined>()
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    fields.set(name, compilePrune(property, false))
  const additional = compileAdditional(schema, preserves)
  const items = compileItems(schema, preserves)
  if (preserves && additional === 'keep' && items === undefined && [...fields.values()].every((field) => !field)) {
    return undefined
  }
  return (value, context) => {
    if (isMutableObject(value)) pruneObject(value, context, { fields, additional, isEmbedded })
    else if (isJsonArray(value) && items !== undefined) pruneItems(value, context, items)
  }
}

function isScalar(schema: JsonSchema): boolean {
  return schema.type !== undefined && schema.type !== 'object' && schema.type !== 'array'
}

/** What happens to a key without a property: it stays, it goes, or its value is pruned. */
function compileAdditional(schema: JsonSchema, preserves: boolean): 'keep' | 'remove' | Prune {
  const additional = schema.additionalProperties
  if (typeof additional === 'object') return compilePrune(additional, false) ?? 'keep'
  // `additionalProperties: true` keeps the key, but nothing is known of what is below.
  if (additional === true && !preserves) return pruneEverything
  return preserves ? 'keep' : 'remove'
}

function compileItems(schema: JsonSchema, preserves: boolean): Prune | undefined {
  if (schema.items === undefined) return preserves ? undefined : pruneEverything
  const items = preserves ? { ...schema.items, 'x-kubernetes-preserve-unknown-fields': true } : schema.items
  return compilePrune(items, false)
}

function pruneEverything(value: Json, context: PruneContext): void {
  if (isMutableObject(value)) for (const key of Object.keys(value)) remove(value, key, context)
  else if (isJsonArray(value)) pruneItems(value, context, pruneEverything)
}

function pruneItems(value: readonly Json[], context: PruneContext, items: Prune): void {
  for (let i = 0; i < value.length; i++) {
    context.path.push(i)
    items(value[i] ?? null, context)
    context.path.pop()
  }
}

function pruneObject(
  value: MutableJsonObject,
  context: PruneContext,
  rules: {
    readonly fields: ReadonlyMap<string, Prune | undefined>
    readonly additional: 'keep' | 'remove' | Prune
    readonly isEmbedded: boolean
  },
): void {
  for (const key in value) {
    if (rules.isEmbedded && metaKeys.has(key)) continue
    const rule = rules.fields.has(key) ? (rules.fields.get(key) ?? 'keep') : rules.additional
    if (rule === 'keep') continue
    if (rule === 'remove') {
      remove(value, key, context)
      continue
    }
    context.path.push(key)
    rule(value[key] ?? null, context)
    context.path.pop()
  }
}

function remove(value: MutableJsonObject, key: string, context: PruneContext): void {
  delete value[key]
  if (context.removed.length < maxPaths) context.removed.push(formatPath([...context.path, key]))
}

type Default = (value: Json) => void

/** Compiles defaulting, and the removal of nulls where the schema is not nullable. `isRoot` leaves metadata alone. */
export function compileDefaults(schema: JsonSchema, isRoot: boolean): Default | undefined {
  if (schema['x-kubernetes-int-or-string'] === true || isScalar(schema)) return undefined
  const fields = new Map<string, FieldDefault>()
  const missing: [string, Json][] = []
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (isRoot && metaKeys.has(name)) continue
    fields.set(name, fieldDefault(property))
    if (property.default !== undefined) missing.push([name, property.default])
  }
  const additional =
    typeof schema.additionalProperties === 'object' ? fieldDefault(schema.additionalProperties) : undefined
  const items = schema.items === undefined ? undefined : fieldDefault(schema.items)
  if (fields.size === 0 && additional === undefined && items === undefined) return undefined
  return (value) => {
    if (isMutableObject(value)) defaultObject(value, { fields, missing, additional })
    else if (isJsonArray(value) && items !== undefined) defaultItems(value, items)
  }
}

interface FieldDefault {
  readonly nullable: boolean
  readonly value: Json | undefined
  readonly inner: Default | undefined
}

const fieldDefault = (schema: JsonSchema): FieldDefault => ({
  nullable: schema.nullable === true,
  value: schema.default,
  inner: compileDefaults(schema, false),
})

function defaultObject(
  object: MutableJsonObject,
  rules: {
    readonly fields: ReadonlyMap<string, FieldDefault>
    readonly missing: readonly [string, Json][]
    readonly additional: FieldDefault | undefined
  },
): void {
  for (const [name, value] of rules.missing) {
    if (!Object.hasOwn(object, name)) setKey(object, name, cloneJson(value))
  }
  for (const key in object) {
    const rule = rules.fields.get(key) ?? rules.additional
    if (rule === undefined) continue
    const value = object[key]
    if (value === null && !rule.nullable) {
      if (rule.value === undefined) {
        delete object[key]
        continue
      }
      setKey(object, key, cloneJson(rule.value))
    }
    const current = object[key]
    if (current !== undefined && current !== null) rule.inner?.(current)
  }
}

const isMutableArray = (value: readonly Json[]): value is Json[] => Array.isArray(value)

function defaultItems(items: readonly Json[], rule: FieldDefault): void {
  if (rule.inner === undefined && rule.value === undefined) return
  for (let i = 0; i < items.length; i++) {
    if (items[i] === null && !rule.nullable && rule.value !== undefined && isMutableArray(items)) {
      items[i] = cloneJson(rule.value)
    }
    const item = items[i]
    if (item !== undefined && item !== null) rule.inner?.(item)
  }
}
