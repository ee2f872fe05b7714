import type { KubeObject, ObjectKey } from '@orrery/api'
import { formatKey, keyOf } from '@orrery/api'

/** Names the index keys of an object. Should not throw; an object whose function throws is not in that index. */
export type IndexFunction<T> = (object: T) => readonly string[]

interface Index<T> {
  readonly keysOf: IndexFunction<T>
  readonly buckets: Map<string, Map<string, T>>
}

/** Objects of one kind by key, by namespace and by named indexes. Plain data without any I/O. */
export class ObjectView<T extends KubeObject> {
  readonly #namespaces = new Map<string, Map<string, T>>()
  readonly #indexes = new Map<string, Index<T>>()
  readonly #onIndexError: (index: string, object: T, error: unknown) => void
  #size = 0

  constructor(onIndexError: (index: string, object: T, error: unknown) => void) {
    this.#onIndexError = onIndexError
  }

  get size(): number {
    return this.#size
  }

  get(key: ObjectKey): T | undefined {
    return this.#namespaces.get(key.namespace ?? '')?.get(key.name)
  }

  list(namespace?: string): T[] {
    if (namespace !== undefined) return [...(this.#namespaces.get(namespace)?.values() ?? [])]
    const all: T[] = []
    for (const objects of this.#namespaces.values()) for (const object of objects.values()) all.push(object)
    return all
  }

  /** Puts the object in place of the one with its key, which is returned. */
  set(object: T): T | undefined {
    const { namespace = '', name } = object.metadata
    const objects = this.#namespaces.get(namespace) ?? new Map<string, T>()
    this.#namespaces.set(namespace, objects)
    const previous = objects.get(name)
    objects.set(name, object)
    if (previous === undefined) this.#size++
    for (const [index, { keysOf, buckets }] of this.#indexes) {
      if (previous !== undefined) this.#dropFrom(index, keysOf, buckets, previous)
      this.#addTo(index, keysOf, buckets, object)
    }
    return previous
  }

  delete(key: ObjectKey): T | undefined {
    const objects = this.#namespaces.get(key.namespace ?? '')
    const previous = objects?.get(key.name)
    if (objects === undefined || previous === undefined) return undefined
    objects.delete(key.name)
    if (objects.size === 0) this.#namespaces.delete(key.namespace ?? '')
    this.#size--
    for (const [index, { keysOf, buckets }] of this.#indexes) this.#dropFrom(index, keysOf, buckets, previous)
    return previous
  }

  /** Adds an index over what is there and what will come. A name that exists keeps its function: users of one name mean the same. */
  addIndex(index: string, keysOf: IndexFunction<T>): void {
    if (this.#indexes.has(index)) return
    const buckets = new Map<string, Map<string, T>>()
    this.#indexes.set(index, { keysOf, buckets })
    for (const object of this.list()) this.#addTo(index, keysOf, buckets, object)
  }

  /** Throws `RangeError` for an index that was never added: an empty answer would hide the mistake. */
  byIndex(index: string, key: string): T[] {
    const known = this.#indexes.get(index)
    if (known === undefined) throw new RangeError(`There is no index ${index}. Name it when the informer is asked for.`)
    return [...(known.buckets.get(key)?.values() ?? [])]
  }

  #addTo(index: string, keysOf: IndexFunction<T>, buckets: Map<string, Map<string, T>>, object: T): void {
    for (const key of this.#keys(index, keysOf, object)) {
      const bucket = buckets.get(key) ?? new Map<string, T>()
      buckets.set(key, bucket)
      bucket.set(formatKey(keyOf(object)), object)
    }
  }

  #dropFrom(index: string, keysOf: IndexFunction<T>, buckets: Map<string, Map<string, T>>, object: T): void {
    for (const key of this.#keys(index, keysOf, object)) {
      const bucket = buckets.get(key)
      bucket?.delete(formatKey(keyOf(object)))
      if (bucket?.size === 0) buckets.delete(key)
    }
  }

  #keys(index: string, keysOf: IndexFunction<T>, object: T): readonly string[] {
    try {
      return keysOf(object)
    } catch (error) {
      // One object that surprises an index function must not stop its whole kind.
      this.#onIndexError(index, object, error)
      return []
    }
  }
}
