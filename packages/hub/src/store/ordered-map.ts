import { compareKeys } from './key-order.ts'

/**
 * A B+ tree from keys to values whose snapshots cost nothing: nodes are copied on write once a snapshot
 * may see them, and changed in place otherwise. Inner nodes count what lies below them, so that ranks
 * (and with them "how many remain") are logarithmic.
 */

/** Wide enough that 100,000 keys need three levels, small enough that copying a node is cheap. */
const MAX_ENTRIES = 64
/** Neighbours that fit together in this many entries are joined after a removal. */
const JOIN_ENTRIES = 32

/** Marks the nodes that one writer may change in place. */
type Owner = object

interface Leaf<V> {
  readonly owner: Owner
  readonly children?: undefined
  readonly keys: string[]
  readonly values: V[]
}

interface Inner<V> {
  readonly owner: Owner
  /** The least key below each child when the child was made: a lower bound for all its keys but the first child's. */
  readonly keys: string[]
  readonly children: Node<V>[]
  size: number
}

type Node<V> = Leaf<V> | Inner<V>

/** An immutable view of an {@link OrderedMap} at one moment. */
export interface OrderedSnapshot<V> {
  readonly size: number
  get(key: string): V | undefined
  /** Entries with keys not less than `from` (or greater, when `exclusive`), in order. */
  entries(from: string, exclusive?: boolean): IterableIterator<readonly [string, V]>
  /** How many keys are less than `key` (or equal, when `inclusive`). */
  rank(key: string, inclusive?: boolean): number
}

const sizeOf = <V>(node: Node<V>): number => (node.children === undefined ? node.keys.length : node.size)

/** The first index whose key is not less than `key` (greater than, when `after`). */
function position(keys: readonly string[], key: string, after: boolean): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareKeys(keys[middle] ?? '', key)
    if (order < 0 || (after && order === 0)) low = middle + 1
    else high = middle
  }
  return low
}

/** The child that holds `key` if any does. */
const childFor = (keys: readonly string[], key: string): number => Math.max(0, position(keys, key, true) - 1)

class Snapshot<V> implements OrderedSnapshot<V> {
  readonly #root: Node<V>
  constructor(root: Node<V>) {
    this.#root = root
  }
  get size(): number {
    return sizeOf(this.#root)
  }
  get(key: string): V | undefined {
    return find(this.#root, key)
  }
  entries(from: string, exclusive = false): IterableIterator<readonly [string, V]> {
    return walk(this.#root, from, exclusive)
  }
  rank(key: string, inclusive = false): number {
    return rankIn(this.#root, key, inclusive)
  }
}

function rankIn<V>(root: Node<V>, key: string, inclusive: boolean): number {
  let node = root
  let rank = 0
  while (node.children !== undefined) {
    const index = childFor(node.keys, key)
    for (let i = 0; i < index; i++) {
      const child = node.children[i]
      if (child !== undefined) rank += sizeOf(child)
    }
    const next = node.children[index]
    if (next === undefined) return rank
    node = next
  }
  return rank + position(node.keys, key, inclusive)
}

function find<V>(root: Node<V>, key: string): V | undefined {
  let node = root
  while (node.children !== undefined) {
    const next = node.children[childFor(node.keys, key)]
    if (next === undefined) return undefined
    node = next
  }
  const index = position(node.keys, key, false)
  return node.keys[index] === key ? node.values[index] : undefined
}

function* walk<V>(node: Node<V>, from: string, exclusive: boolean): IterableIterator<readonly [string, V]> {
  if (node.children === undefined) {
    for (let i = position(node.keys, from, exclusive); i < node.keys.length; i++) {
      const key = node.keys[i]
      const value = node.values[i]
      if (key !== undefined && value !== undefined) yield [key, value]
    }
    return
  }
  for (let i = childFor(node.keys, from); i < node.children.length; i++) {
    const child = node.children[i]
    if (child !== undefined) yield* walk(child, from, exclusive)
  }
}

/** See the head of this file. `undefined` is not a value. */
export class OrderedMap<V> {
  #owner: Owner = {}
  #root: Node<V> = { owner: this.#owner, keys: [], values: [] }

  get size(): number {
    return sizeOf(this.#root)
  }

  get(key: string): V | undefined {
    return find(this.#root, key)
  }

  /** The present state, for as long as somebody holds it. Constant time. */
  snapshot(): OrderedSnapshot<V> {
    this.#owner = {}
    return new Snapshot(this.#root)
  }

  /** As on a snapshot, but the map must not be changed meanwhile. */
  entries(from: string, exclusive = false): IterableIterator<readonly [string, V]> {
    return walk(this.#root, from, exclusive)
  }

  /** As on a snapshot. */
  rank(key: string, inclusive = false): number {
    return rankIn(this.#root, key, inclusive)
  }

  set(key: string, value: V): void {
    this.#root = this.#mine(this.#root)
    const right = this.#insert(this.#root, key, value)
    if (right === undefined) return
    const left = this.#root
    const children = [left, right]
    this.#root = { owner: this.#owner, keys: children.map(firstKey), children, size: sizeOf(left) + sizeOf(right) }
  }

  /** Whether the key was there. */
  delete(key: string): boolean {
    if (find(this.#root, key) === undefined) return false
    this.#root = this.#mine(this.#root)
    this.#remove(this.#root, key)
    while (this.#root.children?.length === 1) {
      const only = this.#root.children[0]
      if (only === undefined) break
      this.#root = only
    }
    return true
  }

  /** The node itself when no snapshot can see it, else a copy that only this map sees. */
  #mine(node: Node<V>): Node<V> {
    if (node.owner === this.#owner) return node
    return node.children === undefined
      ? { owner: this.#owner, keys: [...node.keys], values: [...node.values] }
      : { owner: this.#owner, keys: [...node.keys], children: [...node.children], size: node.size }
  }

  /** Returns the new right sibling when `node`, which is ours, had to be split. */
  #insert(node: Node<V>, key: string, value: V): Node<V> | undefined {
    if (node.children === undefined) {
      const index = position(node.keys, key, false)
      if (node.keys[index] === key) {
        node.values[index] = value
        return undefined
      }
      node.keys.splice(index, 0, key)
      node.values.splice(index, 0, value)
      return this.#split(node)
    }
    const index = childFor(node.keys, key)
    const child = this.#child(node, index)
    const before = sizeOf(child)
    const right = this.#insert(child, key, value)
    node.size += sizeOf(child) - before
    if (right === undefined) return undefined
    node.keys.splice(index + 1, 0, firstKey(right))
    node.children.splice(index + 1, 0, right)
    node.size += sizeOf(right)
    return this.#split(node)
  }

  #child(node: Inner<V>, index: number): Node<V> {
    const child = node.children[index]
    if (child === undefined) throw new RangeError(`A tree node has no child ${index}`)
    const mine = this.#mine(child)
    node.children[index] = mine
    return mine
  }

  #split(node: Node<V>): Node<V> | undefined {
    if (node.keys.length <= MAX_ENTRIES) return undefined
    const middle = node.keys.length >>> 1
    const keys = node.keys.splice(middle)
    if (node.children === undefined) return { owner: this.#owner, keys, values: node.values.splice(middle) }
    const children = node.children.splice(middle)
    const size = children.reduce((sum, child) => sum + sizeOf(child), 0)
    node.size -= size
    return { owner: this.#owner, keys, children, size }
  }

  #remove(node: Node<V>, key: string): void {
    if (node.children === undefined) {
      const index = position(node.keys, key, false)
      node.keys.splice(index, 1)
      node.values.splice(index, 1)
      return
    }
    const index = childFor(node.keys, key)
    const child = this.#child(node, index)
    this.#remove(child, key)
    node.size--
    if (child.keys.length === 0 && node.children.length > 1) {
      node.keys.splice(index, 1)
      node.children.splice(index, 1)
      return
    }
    this.#join(node, index > 0 ? index - 1 : index)
  }

  /** Joins the children `index` and `index + 1` when both are small. */
  #join(node: Inner<V>, index: number): void {
    const right = node.children[index + 1]
    const left = node.children[index]
    if (left === undefined || right === undefined || left.keys.length + right.keys.length > JOIN_ENTRIES) return
    const target = this.#child(node, index)
    if (target.children === undefined && right.children === undefined) {
      target.values.push(...right.values)
    } else if (target.children !== undefined && right.children !== undefined) {
      target.children.push(...right.children)
      target.size += right.size
    } else return
    target.keys.push(...right.keys)
    node.keys.splice(index + 1, 1)
    node.children.splice(index + 1, 1)
  }
}

const firstKey = <V>(node: Node<V>): string => node.keys[0] ?? ''
