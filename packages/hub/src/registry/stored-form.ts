import { equalJson, type JsonObject, stringifyJson } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { objectTooLarge } from '../http/errors.ts'
import type { HubCore, ServedObject } from './core.ts'
import { isList, isObject, type MutableObject, objectAt } from './json-access.ts'
import { orderMetadata } from './object-meta.ts'
import { parseStored } from './parsed-objects.ts'
import type { ServedResource } from './served-resource.ts'

/** What one object may take in the store. etcd's default, so that a hub can move between stores. */
export const maxStoredBytes = 1_572_864

/** A deep copy that its owner may change. */
export function cloneObject(object: JsonObject): MutableObject {
  const copy: MutableObject = {}
  for (const key of Object.keys(object)) {
    const value = object[key]
    if (value === undefined) continue
    const member = isObject(value) ? cloneObject(value) : isList(value) ? cloneList(value) : value
    if (key === '__proto__') {
      Object.defineProperty(copy, key, { value: member, enumerable: true, writable: true, configurable: true })
    } else copy[key] = member
  }
  return copy
}

type List = Extract<JsonObject[string], readonly unknown[]>

function cloneList(list: List): List {
  return list.map((value) => (isObject(value) ? cloneObject(value) : isList(value) ? cloneList(value) : value))
}

/** Converted forms of objects that were stored under an older schema or in another version, by resource and object. */
const converted = new WeakMap<ServedResource, WeakMap<CachedObject, Uint8Array>>()

/** Whether the stored bytes are what this resource serves. Costs one comparison of the head. */
export function isDirect(resource: ServedResource, cached: CachedObject): boolean {
  if (!resource.definition.custom) return true
  if (cached.revision <= resource.convertUpTo) return false
  const { storedHead } = resource
  return Buffer.from(cached.bytes.buffer, cached.bytes.byteOffset, storedHead.length).equals(storedHead)
}

/** The object's JSON as this resource serves it. Almost always the cached bytes themselves. */
export function servedBytes(resource: ServedResource, cached: CachedObject): Uint8Array {
  if (isDirect(resource, cached)) return cached.bytes
  const known = converted.get(resource)?.get(cached)
  if (known !== undefined) return known
  const source = parseStored(cached.bytes)
  const object = convert(resource, source)
  // Most objects already fit the schema: then the cached bytes are kept, and the copy is garbage.
  const bytes = equalJson(source, object) ? cached.bytes : Buffer.from(stringifyJson(object))
  const ofResource = converted.get(resource) ?? new WeakMap<CachedObject, Uint8Array>()
  converted.set(resource, ofResource)
  ofResource.set(cached, bytes)
  return bytes
}

/** The object in the version of the resource, without resourceVersion. Shared: it must not be changed. */
export function readObject(core: HubCore, resource: ServedResource, cached: CachedObject): JsonObject {
  const stored = core.parsed.read(cached)
  return isDirect(resource, cached) ? stored : convert(resource, stored)
}

/** Strategy None: the version is rewritten, then the version's own schema prunes and defaults. */
function convert(resource: ServedResource, source: JsonObject): JsonObject {
  const object = cloneObject(source)
  object['apiVersion'] = resource.apiVersion
  resource.schema.prune(object)
  resource.schema.applyDefaults(object)
  return object
}

/** The object as it is stored: in the storage version, in canonical order, without resourceVersion. Throws 413. */
export function encodeStored(resource: ServedResource, object: JsonObject): { stored: JsonObject; bytes: Uint8Array } {
  const stored = storedObject(resource, object)
  const bytes = Buffer.from(stringifyJson(stored))
  if (bytes.length > maxStoredBytes) throw objectTooLarge(bytes.length, maxStoredBytes)
  return { stored, bytes }
}

function storedObject(resource: ServedResource, object: JsonObject): JsonObject {
  const metadata = orderMetadata(objectAt(object, 'metadata'))
  delete metadata['resourceVersion']
  const { apiVersion, kind, metadata: _metadata, ...rest } = object
  if (apiVersion === undefined || kind === undefined) throw new Error('an object without type reached the store')
  const ordered = { apiVersion: resource.storage.apiVersion, kind, metadata, ...rest }
  if (resource.storage.apiVersion === resource.apiVersion) return ordered
  const copy = cloneObject(ordered)
  resource.storage.schema.prune(copy)
  resource.storage.schema.applyDefaults(copy)
  return copy
}

/** The object with its resourceVersion, as clients see it. */
export function withResourceVersion(object: JsonObject, revision: number): JsonObject {
  const metadata = orderMetadata({ ...objectAt(object, 'metadata'), resourceVersion: String(revision) })
  return { ...object, metadata }
}

/** Serves an object that is not (or no longer) in the cache: dry runs, final states. */
export function serveObject(object: JsonObject, revision: number | undefined): ServedObject {
  const shown = revision === undefined ? object : withResourceVersion(object, revision)
  return { bytes: Buffer.from(stringifyJson(shown)) }
}
