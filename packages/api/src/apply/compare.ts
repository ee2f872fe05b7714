import { equalJson, type Json, type JsonObject } from '../json/json.ts'
import { FieldSet } from './field-set.ts'
import {
  type FieldType,
  itemsOf,
  type ListType,
  type MapType,
  membersOf,
  memberType,
  type Shape,
  shapeOf,
} from './field-type.ts'
import { fieldElement, indexItems, type PathElement } from './path-element.ts'

/** What a write did, as three sets of paths that have no path in common. */
export interface Comparison {
  readonly removed: FieldSet
  readonly modified: FieldSet
  readonly added: FieldSet
}

type Change = 'removed' | 'modified' | 'added'

/** The changes at and below one node. Built while walking, dropped when nothing changed. */
class NodeChanges {
  self: Change | undefined
  readonly removed = new FieldSet()
  readonly modified = new FieldSet()
  readonly added = new FieldSet()

  get isEmpty(): boolean {
    return this.self === undefined && this.removed.isEmpty && this.modified.isEmpty && this.added.isEmpty
  }

  attach(element: PathElement, changes: NodeChanges | undefined): void {
    if (changes === undefined) return
    this.removed.insert(element, changes.self === 'removed', changes.removed)
    this.modified.insert(element, changes.self === 'modified', changes.modified)
    this.added.insert(element, changes.self === 'added', changes.added)
  }
}

/** Compares two whole objects. Containers that appear or vanish count as paths of their own. */
export function compareObjects(type: MapType, before: JsonObject, after: JsonObject): Comparison {
  const changes = new NodeChanges()
  compareMembers(type, { before, after, changes })
  return changes
}

function compareNodes(type: FieldType, before: Json | undefined, after: Json | undefined): NodeChanges | undefined {
  if (before === after) return undefined
  const shapeBefore = shapeOf(type, before)
  const shapeAfter = shapeOf(type, after)
  const changes = new NodeChanges()
  const sides: Sides = { before, after, changes }
  if (shapeBefore !== undefined && shapeAfter !== undefined && shapeBefore.kind !== shapeAfter.kind) {
    compareShape(shapeBefore, { ...sides, after: null })
    compareShape(shapeAfter, { ...sides, before: null })
    changes.self = 'modified'
    return changes
  }
  compareShape(shapeAfter ?? shapeBefore, sides)
  if (before === undefined) changes.self = 'added'
  else if (after === undefined) changes.self = 'removed'
  return changes.isEmpty ? undefined : changes
}

interface Sides {
  readonly before: Json | undefined
  readonly after: Json | undefined
  readonly changes: NodeChanges
}

function compareShape(shape: Shape | undefined, sides: Sides): void {
  if (shape?.kind === 'map' && !shape.isAtomic && hasMembers(sides)) compareMembers(shape, sides)
  else if (shape?.kind === 'list' && !shape.isAtomic && hasItems(sides)) compareItems(shape, sides)
  else compareLeaf(sides)
}

/** An empty container is a leaf, which keeps the difference between empty and absent. */
const hasMembers = ({ before, after }: Sides): boolean =>
  Object.keys(membersOf(before)).length + Object.keys(membersOf(after)).length > 0
const hasItems = ({ before, after }: Sides): boolean => itemsOf(before).length + itemsOf(after).length > 0

function compareLeaf({ before, after, changes }: Sides): void {
  if (before === undefined) changes.self = 'added'
  else if (after === undefined) changes.self = 'removed'
  else if (!equalJson(before, after)) changes.self = 'modified'
}

function compareMembers(type: MapType, { before, after, changes }: Sides): void {
  const left = membersOf(before)
  const right = membersOf(after)
  for (const name in left) {
    const twin = Object.hasOwn(right, name) ? right[name] : undefined
    if (left[name] === twin) continue
    changes.attach(fieldElement(name), compareNodes(memberType(type, name), left[name], twin))
  }
  for (const name in right) {
    if (Object.hasOwn(left, name)) continue
    changes.attach(fieldElement(name), compareNodes(memberType(type, name), undefined, right[name]))
  }
}

function compareItems(type: ListType, { before, after, changes }: Sides): void {
  const left = indexItems(itemsOf(before), type.elementOf)
  const right = indexItems(itemsOf(after), type.elementOf)
  for (const [element, items] of left)
    compareItem(type, { element, before: items, after: right.get(element) ?? [], changes })
  for (const [element, items] of right) {
    if (!left.has(element)) compareItem(type, { element, before: [], after: items, changes })
  }
}

/** Items that stand twice under one key cannot be told apart: together they are one leaf. */
function compareItem(
  type: ListType,
  options: {
    readonly element: PathElement
    readonly before: readonly Json[]
    readonly after: readonly Json[]
    readonly changes: NodeChanges
  },
): void {
  const { element, before, after, changes } = options
  if (before.length < 2 && after.length < 2) {
    changes.attach(element, compareNodes(type.items, before[0], after[0]))
  } else if (before.length > 1 && after.length > 1) {
    if (!equalJson(before, after)) changes.modified.insert(element, true, undefined)
  } else if (before.length > 1) {
    if (after[0] !== undefined) changes.attach(element, compareNodes(type.items, undefined, after[0]))
    changes.removed.insert(element, true, undefined)
  } else {
    if (before[0] !== undefined) changes.attach(element, compareNodes(type.items, before[0], undefined))
    changes.added.insert(element, true, undefined)
  }
}
