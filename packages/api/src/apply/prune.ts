import type { JsonObject } from '../json/json.ts'
import { FieldSet } from './field-set.ts'
import { type FieldType, type MapType, memberType } from './field-type.ts'
import type { PathElement } from './path-element.ts'
import { fieldSetOf, removeFields } from './typed-value.ts'

/**
 * Removes from a merged object what its applier applied last time and no longer applies, unless
 * somebody else owns it. `owned` is the union of all managers' sets, the applier's new one included.
 */
export function pruneUnapplied(options: {
  readonly type: MapType
  readonly merged: JsonObject
  readonly last: FieldSet
  readonly owned: FieldSet
}): JsonObject {
  const { type, merged } = options
  // What is still owned comes back below, so a set without a lost path removes nothing.
  if (options.last.difference(options.owned).isEmpty) return merged
  const last = withNamedFields(type, options.last)
  const present = withNamedFields(type, fieldSetOf(type, merged))
  const stripped = removeFields(type, merged, last)
  // Add back what is owned, and with it the containers that the removal took along.
  const kept = withNamedFields(type, fieldSetOf(type, stripped))
  const restored = removeFields(type, merged, present.difference(kept.union(withNamedFields(type, options.owned))))
  // Only what the applier had owned may go: an unowned field below a removed container stays.
  const remaining = withNamedFields(type, fieldSetOf(type, restored))
  return removeFields(type, merged, present.difference(remaining).intersection(last))
}

/** The set in which every named field with members below it is a member itself, so that emptied structs go too. */
function withNamedFields(type: FieldType, set: FieldSet): FieldSet {
  const result = new FieldSet()
  for (const [element, { isMember, children }] of set.entries()) {
    const isNamed = type.kind === 'map' && element.startsWith('f:') && type.field(element.slice(2)) !== undefined
    const below = children === undefined ? undefined : withNamedFields(typeBelow(type, element), children)
    result.insert(element, isMember || (isNamed && below !== undefined), below)
  }
  return result
}

function typeBelow(type: FieldType, element: PathElement): FieldType {
  if (type.kind === 'map' && element.startsWith('f:')) return memberType(type, element.slice(2))
  return type.kind === 'list' ? type.items : { kind: 'deduced' }
}

/**
 * Brings a stored set in line with the schema of today: where a list or map has become atomic, the
 * owner of anything in it owns it whole.
 */
export function reconcileWithSchema(type: FieldType, set: FieldSet): FieldSet {
  let result: FieldSet | undefined
  for (const [element, { isMember, children }] of set.entries()) {
    if (children === undefined) continue
    const below = typeBelow(type, element)
    const isAtomic = (below.kind === 'list' || below.kind === 'map') && below.isAtomic
    const reconciled = isAtomic ? undefined : reconcileWithSchema(below, children)
    if (reconciled === children) continue
    result = (result ?? set).without([element]).union(single(element, isAtomic || isMember, reconciled))
  }
  return result ?? set
}

function single(element: PathElement, isMember: boolean, children: FieldSet | undefined): FieldSet {
  const set = new FieldSet()
  set.insert(element, isMember, children)
  return set
}
