import { type JsonObject, parseJson } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { isObject } from './json-access.ts'

/**
 * Parsed forms of the objects that are being written, so that a busy object is parsed once a version.
 * Bounded: parsed trees are several times the size of their bytes and live on the heap.
 */
const maxParsed = 512
/** Larger objects are parsed anew each time. */
const maxParsedBytes = 64 * 1024

/** A small least-recently-used cache, keyed by the identity of one version of an object. */
export class ParsedObjects {
  readonly #parsed = new Map<CachedObject, JsonObject>()

  /** The stored object, without resourceVersion. Shared: it must not be changed. */
  read(cached: CachedObject): JsonObject {
    const known = this.#parsed.get(cached)
    if (known !== undefined) {
      this.#parsed.delete(cached)
      this.#parsed.set(cached, known)
      return known
    }
    const object = parseStored(cached.stored)
    if (cached.stored.length <= maxParsedBytes) this.#remember(cached, object)
    return object
  }

  #remember(cached: CachedObject, object: JsonObject): void {
    if (this.#parsed.size >= maxParsed) {
      const oldest = this.#parsed.keys().next()
      if (oldest.done !== true) this.#parsed.delete(oldest.value)
    }
    this.#parsed.set(cached, object)
  }
}

/** Parses bytes that the hub itself wrote. Anything but an object means a corrupt store and is thrown as such. */
export function parseStored(bytes: Uint8Array): JsonObject {
  const { value } = parseJson(bytes)
  if (!isObject(value)) throw new Error('a stored value is not a JSON object: the store is corrupt, restore a backup')
  return value
}
