import { isJsonObject, type Json, type JsonObject, type MutableJsonObject } from '../json/json.ts'
import { comparePathElements, FieldSetError, type PathElement, parsePathElement } from './path-element.ts'

/** A field set deeper than this is not read: recursion over it is bounded. */
const maxDepth = 500

interface FieldNode {
  /** Whether the path itself belongs to the set, not only paths below it. */
  readonly isMember: boolean
  readonly children: FieldSet | undefined
}

/**
 * A set of field paths as a trie. The operations return new sets and share what did not change; a set
 * is changed by {@link FieldSet.insert} only by the code that builds it.
 */
export class FieldSet {
  readonly #nodes = new Map<PathElement, FieldNode>()

  static readonly empty: FieldSet = new FieldSet()

  /** Reads FieldsV1. Throws {@link FieldSetError}. */
  static parse(fields: Json, depth = 0): FieldSet {
    if (!isJsonObject(fields)) throw new FieldSetError('fieldsV1 must be an object')
    if (depth > maxDepth) throw new FieldSetError(`fieldsV1 is nested more than ${maxDepth} levels deep`)
    const set = new FieldSet()
    for (const key in fields) {
      if (key === '.') continue
      const value = fields[key] ?? null
      if (!isJsonObject(value)) throw new FieldSetError('fieldsV1 must hold objects only')
      const children = FieldSet.parse(value, depth + 1)
      set.insert(parsePathElement(key), children.isEmpty || Object.hasOwn(value, '.'), children)
    }
    return set
  }

  static of(...paths: readonly (readonly string[])[]): FieldSet {
    const set = new FieldSet()
    for (const path of paths) set.#insertPath(path.map((name) => `f:${name}`))
    return set
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0
  }

  #insertPath([first, ...rest]: readonly PathElement[]): void {
    if (first === undefined) return
    if (rest.length === 0) {
      this.insert(first, true, undefined)
      return
    }
    const below = new FieldSet()
    below.#insertPath(rest)
    this.insert(first, false, below)
  }

  /** Adds an element, merged with what is already there. For the code that builds this set. */
  insert(element: PathElement, isMember: boolean, children: FieldSet | undefined): void {
    const below = children?.isEmpty === true ? undefined : children
    if (!isMember && below === undefined) return
    const present = this.#nodes.get(element)
    if (present === undefined) {
      this.#nodes.set(element, { isMember, children: below })
      return
    }
    const united =
      present.children === undefined ? below : below === undefined ? present.children : present.children.union(below)
    this.#nodes.set(element, { isMember: isMember || present.isMember, children: united })
  }

  has(element: PathElement): boolean {
    return this.#nodes.get(element)?.isMember === true
  }

  /** The set below an element; undefined when there is none. */
  below(element: PathElement): FieldSet | undefined {
    return this.#nodes.get(element)?.children
  }

  entries(): Iterable<readonly [PathElement, { readonly isMember: boolean; readonly children: FieldSet | undefined }]> {
    return this.#nodes
  }

  union(other: FieldSet): FieldSet {
    if (other === this || other.isEmpty) return this
    if (this.isEmpty) return other
    const result = this.#copy()
    for (const [element, node] of other.#nodes) result.insert(element, node.isMember, node.children)
    return result
  }

  /** The paths of this set that are not in the other one. Paths below a removed one stay. */
  difference(other: FieldSet): FieldSet {
    if (other.isEmpty || this.isEmpty) return this
    const result = new FieldSet()
    for (const [element, node] of this.#nodes) {
      const minus = other.#nodes.get(element)
      if (minus === undefined) {
        result.#nodes.set(element, node)
        continue
      }
      const children =
        node.children === undefined || minus.children === undefined
          ? node.children
          : node.children.difference(minus.children)
      result.insert(element, node.isMember && !minus.isMember, children)
    }
    return result
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet()
    for (const [element, node] of this.#nodes) {
      const both = other.#nodes.get(element)
      if (both === undefined) continue
      const children =
        node.children === undefined || both.children === undefined
          ? undefined
          : node.children.intersection(both.children)
      result.insert(element, node.isMember && both.isMember, children)
    }
    return result
  }

  /** Without the elements, and without everything below them. */
  without(elements: readonly PathElement[]): FieldSet {
    if (!elements.some((element) => this.#nodes.has(element))) return this
    const result = this.#copy()
    for (const element of elements) result.#nodes.delete(element)
    return result
  }

  equals(other: FieldSet): boolean {
    if (this === other) return true
    if (this.#nodes.size !== other.#nodes.size) return false
    for (const [element, node] of this.#nodes) {
      const twin = other.#nodes.get(element)
      if (twin === undefined || twin.isMember !== node.isMember) return false
      if (!(node.children ?? FieldSet.empty).equals(twin.children ?? FieldSet.empty)) return false
    }
    return true
  }

  /** The member paths in Kubernetes' order: the members of a node before what is below them. */
  *paths(prefix: readonly PathElement[] = []): Generator<readonly PathElement[]> {
    const sorted = [...this.#nodes].sort(([a], [b]) => comparePathElements(a, b))
    for (const [element, node] of sorted) if (node.isMember) yield [...prefix, element]
    for (const [element, node] of sorted)
      if (node.children !== undefined) yield* node.children.paths([...prefix, element])
  }

  /** FieldsV1, with the same key order every time. */
  toJson(): JsonObject {
    const json: MutableJsonObject = {}
    const elements = [...this.#nodes.keys()]
    if (elements.length > 1) elements.sort(comparePathElements)
    for (const element of elements) {
      const node = this.#nodes.get(element)
      if (node?.children === undefined) json[element] = {}
      else json[element] = node.isMember ? { '.': {}, ...node.children.toJson() } : node.children.toJson()
    }
    return json
  }

  #copy(): FieldSet {
    const copy = new FieldSet()
    for (const [element, node] of this.#nodes) copy.#nodes.set(element, node)
    return copy
  }
}
