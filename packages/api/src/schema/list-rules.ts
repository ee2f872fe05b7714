import { duplicate, invalid } from '../field-error.ts'
import {
  isJsonObject,
  type Json,
  type JsonArray,
  type JsonObject,
  type MutableJsonObject,
  setKey,
} from '../json/json.ts'
import { formatPath } from '../json/scanner.ts'
import { canonicalJson } from '../json/stringify.ts'
import type { JsonSchema } from './json-schema.ts'
import type { ValidationContext } from './validation-context.ts'

/** What a list's type demands, and how items of an old list are found again. */
export interface ListRule {
  /** Reports duplicates. Returns how to find the old form of an item, where the list type allows it. */
  check(
    value: JsonArray,
    context: ValidationContext,
    old: JsonArray | undefined,
  ): ((item: Json) => Json | undefined) | undefined
}

/** The rule of lists with `x-kubernetes-list-type: set` or `map`; undefined for atomic ones. */
export function compileListRule(schema: JsonSchema): ListRule | undefined {
  const type = schema['x-kubernetes-list-type']
  if (type === 'set') return { check: checkSet }
  if (type !== 'map') return undefined
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []).toSorted()
  return { check: (value, context, old) => checkMap({ value, context, old, keys }) }
}

function checkSet(value: JsonArray, context: ValidationContext): undefined {
  reportDuplicates(value, canonicalJson, (item, index) => {
    context.addList(duplicate(formatPath([...context.path, index]), item))
  })
}

function checkMap(options: {
  readonly value: JsonArray
  readonly context: ValidationContext
  readonly old: JsonArray | undefined
  readonly keys: readonly string[]
}): ((item: Json) => Json | undefined) | undefined {
  const { value, context, old, keys } = options
  const wrong = value.findIndex((item) => item !== null && !isJsonObject(item))
  if (wrong >= 0) {
    const path = formatPath([...context.path, wrong])
    context.addList(invalid(path, value[wrong], 'must be an object for an array of list-type map'))
    return undefined
  }
  const textOf = (item: Json): string => canonicalJson(keyOf(item, keys))
  reportDuplicates(value, textOf, (item, index) => {
    context.addList(duplicate(formatPath([...context.path, index]), keyOf(item, keys)))
  })
  if (old === undefined) return undefined
  let before: Map<string, Json> | undefined
  return (item) => {
    before ??= new Map(old.map((candidate) => [textOf(candidate), candidate]))
    return before.get(textOf(item))
  }
}

/** The values of an item's map keys; a key that is missing stays out, which is a key of its own. */
export function keyOf(item: Json, keys: readonly string[]): JsonObject {
  const key: MutableJsonObject = {}
  if (!isJsonObject(item)) return key
  for (const name of keys) if (Object.hasOwn(item, name)) setKey(key, name, item[name])
  return key
}

/** Calls `report` once per repeated value, at its second appearance. */
function reportDuplicates(
  list: JsonArray,
  textOf: (item: Json) => string,
  report: (item: Json, index: number) => void,
): void {
  if (list.length < 2) return
  const seen = new Map<string, number>()
  for (const [index, item] of list.entries()) {
    const text = textOf(item)
    const times = (seen.get(text) ?? 0) + 1
    seen.set(text, times)
    if (times === 2) report(item, index)
  }
}
