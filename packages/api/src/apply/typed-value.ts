import { isJsonArray, isJsonObject, type Json, type JsonObject, type MutableJsonObject, setKey } from '../json/json.ts'
import { FieldSet } from './field-set.ts'
import { type FieldType, type ListType, type MapType, memberType, shapeOf } from './field-type.ts'
import { fieldElement, indexItems, type PathElement } from './path-element.ts'

/** The fields an applied configuration claims: its leaves, its items, and the keys of its maps. */
export function fieldSetOf(type: FieldType, value: Json): FieldSet {
  return claims(type, value).children ?? FieldSet.empty
}

interface Claims {
  readonly isMember: boolean
  readonly children: FieldSet | undefined
}

const leaf: Claims = { isMember: true, children: undefined }

function claims(type: FieldType, value: Json): Claims {
  const shape = shapeOf(type, value)
  if (shape === undefined || shape.kind === 'scalar' || shape.isAtomic) return leaf
  const children = new FieldSet()
  if (shape.kind === 'map') {
    if (isJsonObject(value)) claimMembers(shape, value, children)
    return { isMember: false, children }
  }
  for (const [element, items] of indexItems(isJsonArray(value) ? value : [], shape.elementOf)) {
    const [first = null] = items
    children.insert(element, true, items.length === 1 ? claims(shape.items, first).children : undefined)
  }
  return { isMember: false, children }
}

function claimMembers(type: MapType, value: JsonObject, children: FieldSet): void {
  for (const name in value) {
    const member = value[name] ?? null
    const claim = claims(memberType(type, name), member)
    const isEmptyMap = isJsonObject(member) && Object.keys(member).length === 0
    children.insert(fieldElement(name), claim.isMember || isEmptyMap || type.field(name) === undefined, claim.children)
  }
}

/** Merges an applied configuration into the live object. Lists follow the applied order; parts without change are shared. */
export function mergeObjects(type: MapType, live: JsonObject, config: JsonObject): JsonObject {
  const merged = mergeMembers(type, live, config)
  return isJsonObject(merged) ? merged : live
}

function mergeNodes(type: FieldType, live: Json | undefined, config: Json | undefined): Json {
  if (config === undefined) return live ?? null
  if (live === undefined) return config
  const shape = shapeOf(type, config) ?? shapeOf(type, live)
  if (shape?.kind === 'map' && !shape.isAtomic && isJsonObject(live)) {
    return isJsonObject(config) ? mergeMembers(shape, live, config) : keepUnlessEmpty(live, config)
  }
  if (shape?.kind === 'list' && !shape.isAtomic && isJsonArray(live)) {
    return isJsonArray(config) ? mergeItems(shape, live, config) : keepUnlessEmpty(live, config)
  }
  return config
}

/** An explicit null does not empty a container: its items belong to whoever set them. */
function keepUnlessEmpty(live: Json, config: Json): Json {
  return typeof live === 'object' && live !== null && Object.keys(live).length > 0 ? live : config
}

function mergeMembers(type: MapType, live: JsonObject, config: JsonObject): Json {
  let merged: MutableJsonObject | undefined
  for (const name in config) {
    const before = Object.hasOwn(live, name) ? live[name] : undefined
    const after = mergeNodes(memberType(type, name), before, config[name])
    if (after === before) continue
    merged ??= { ...live }
    setKey(merged, name, after)
  }
  return merged ?? live
}

/** Applied items in their order; live items that are not applied keep their place among their neighbours. */
function mergeItems(type: ListType, live: readonly Json[], config: readonly Json[]): Json {
  const applied = indexItems(config, type.elementOf)
  const present = indexItems(live, type.elementOf)
  const shared = [...applied.keys()].filter((element) => present.has(element))
  const merged: Json[] = []
  const done = new Set<PathElement>()
  const take = (element: PathElement): void => {
    const [next = null] = applied.get(element) ?? []
    const same = present.get(element) ?? []
    // Live duplicates cannot be merged with the one applied item; it replaces them.
    merged.push(same.length > 1 ? next : mergeNodes(type.items, same[0], next))
    done.add(element)
    if (shared[0] === element) shared.shift()
  }
  const order = [...applied.keys()]
  let position = 0
  const takeUpTo = (element: PathElement): void => {
    while (position < order.length) {
      const current = order[position++] ?? element
      take(current)
      if (current === element) return
    }
  }
  for (const item of live) {
    const element = type.elementOf(item)
    if (element === undefined || !applied.has(element)) merged.push(item)
    else if (!done.has(element) && shared[0] === element) takeUpTo(element)
  }
  while (position < order.length) take(order[position++] ?? '')
  return merged.length === live.length && merged.every((item, index) => item === live[index]) ? live : merged
}

/** The object without the given paths. A container that only lost members stays, empty if need be. */
export function removeFields(type: FieldType, value: JsonObject, paths: FieldSet): JsonObject {
  const remaining = removeNodes(type, value, paths)
  return isJsonObject(remaining) ? remaining : value
}

function removeNodes(type: FieldType, value: Json, paths: FieldSet): Json {
  const shape = shapeOf(type, value)
  if (shape?.kind === 'map' && !shape.isAtomic && isJsonObject(value)) return removeMembers(shape, value, paths)
  if (shape?.kind === 'list' && !shape.isAtomic && isJsonArray(value)) return removeItems(shape, value, paths)
  return value
}

function removeMembers(type: MapType, value: JsonObject, paths: FieldSet): JsonObject {
  const rest: MutableJsonObject = {}
  for (const name in value) {
    const element = fieldElement(name)
    if (paths.has(element)) continue
    const below = paths.below(element)
    const member = value[name] ?? null
    setKey(rest, name, below === undefined ? member : removeNodes(memberType(type, name), member, below))
  }
  return rest
}

function removeItems(type: ListType, value: readonly Json[], paths: FieldSet): Json {
  const rest: Json[] = []
  for (const item of value) {
    const element = type.elementOf(item)
    if (element !== undefined && paths.has(element)) continue
    const below = element === undefined ? undefined : paths.below(element)
    rest.push(below === undefined ? item : removeNodes(type.items, item, below))
  }
  return rest
}
