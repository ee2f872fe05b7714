import { isJsonObject, type Json, type JsonArray, type JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parse.ts'
import { canonicalJson } from '../json/stringify.ts'
import { keyOf } from '../schema/list-rules.ts'

/**
 * One step of a field path in the text form of FieldsV1: `f:name`, `k:{"a":1}` (an item of a list of
 * maps), `v:"x"` (an item of a set), `i:0`. Equal steps have equal text, so sets can be plain maps.
 */
export type PathElement = string

/** What is wrong with a stored field set; the manager's entry is then ignored. */
export class FieldSetError extends Error {
  override readonly name = 'FieldSetError'
}

/** A named field. */
export const fieldElement = (name: string): PathElement => `f:${name}`

/** An item of a set, by its value. */
export const valueElement = (value: Json): PathElement => `v:${canonicalJson(value)}`

/** An item of a list of maps, by the values of its keys; a missing key takes its default. */
export function keyElement(item: Json, keys: readonly string[], defaults: JsonObject): PathElement | undefined {
  if (!isJsonObject(item)) return undefined
  const given = keyOf(item, keys)
  const key = keys.every((name) => Object.hasOwn(given, name)) ? given : { ...defaults, ...given }
  return Object.keys(key).length === 0 ? undefined : `k:${canonicalJson(key)}`
}

/** Brings an element that a client sent into the canonical text. Throws {@link FieldSetError}. */
export function parsePathElement(text: string): PathElement {
  const content = text.slice(2)
  if (text.startsWith('f:')) return text
  if (text.startsWith('i:') && /^-?\d{1,10}$/.test(content)) return text
  if (text.startsWith('v:')) return `v:${canonicalJson(parseContent(content))}`
  if (text.startsWith('k:')) {
    const key = parseContent(content)
    if (isJsonObject(key)) return `k:${canonicalJson(key)}`
  }
  throw new FieldSetError(`${JSON.stringify(text)} is no path element; expected f:, k:, v: or i:`)
}

function parseContent(content: string): Json {
  try {
    return parseJson(content).value
  } catch (cause) {
    throw new FieldSetError(`${JSON.stringify(content)} is no JSON value`, { cause })
  }
}

const order = 'fkvi'

/** Field names first, then keys, values and indexes; each by its text. */
export function comparePathElements(a: PathElement, b: PathElement): number {
  const kind = order.indexOf(a.charAt(0)) - order.indexOf(b.charAt(0))
  if (kind !== 0) return kind
  return a < b ? -1 : a > b ? 1 : 0
}

/** As conflicts print it: `.name`, `[k="v",n=1]`, `[="x"]`, `[0]`. */
export function formatPathElement(element: PathElement): string {
  const content = element.slice(2)
  if (element.startsWith('f:')) return `.${content}`
  if (element.startsWith('v:')) return `[=${content}]`
  if (element.startsWith('i:')) return `[${content}]`
  const key = parseContent(content)
  const members = isJsonObject(key) ? Object.entries(key) : []
  return `[${members.map(([name, value]) => `${name}=${canonicalJson(value)}`).join(',')}]`
}

/** A path as conflicts print it: `.spec.items[name="a"].image`. */
export function formatFieldPath(path: readonly PathElement[]): string {
  return path.map(formatPathElement).join('')
}

/** The items of an associative list by their element; items that stand twice share one entry. */
export function indexItems(
  list: JsonArray,
  elementOf: (item: Json) => PathElement | undefined,
): ReadonlyMap<PathElement, readonly Json[]> {
  const index = new Map<PathElement, Json[]>()
  for (const item of list) {
    const element = elementOf(item)
    if (element === undefined) continue
    const same = index.get(element)
    if (same === undefined) index.set(element, [item])
    else same.push(item)
  }
  return index
}
