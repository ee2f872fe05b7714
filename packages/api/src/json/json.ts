/**
 * JSON as the API server needs it: nothing is silently lost. `JSON.parse` drops duplicate keys, rounds
 * integers above 2^53, turns 1e400 into Infinity, replaces broken UTF-8 and accepts any depth.
 */

/** Integers outside ±2^53 that fit int64 are `bigint`; every other number is a finite `number`. */
export type Json = null | boolean | number | bigint | string | JsonArray | JsonObject
export type JsonArray = readonly Json[]
export interface JsonObject {
  readonly [key: string]: Json
}

/** An object that its holder built or was given to change. Passes over parsed bodies take this form. */
export interface MutableJsonObject {
  [key: string]: Json
}

export interface JsonLimits {
  readonly maxBytes: number
  readonly maxDepth: number
  readonly maxNodes: number
  readonly maxKeyBytes: number
}

/** What one request may cost. The sizes are those of `kube-apiserver` or stricter, so that no body blocks the loop. */
export const defaultJsonLimits: JsonLimits = {
  maxBytes: 3 * 1024 * 1024,
  maxDepth: 500,
  maxNodes: 500_000,
  // Keys of managedFields hold whole list items, so they are longer than any field name.
  maxKeyBytes: 8192,
}

export interface ParsedJson {
  readonly value: Json
  /** Paths such as `spec.replicas` of keys that stood twice in one object; the last one won. Bounded. */
  readonly duplicates: readonly string[]
  /** Paths of integers beyond int64, which are held as the nearest `number`. Bounded; absent when there are none. */
  readonly rounded?: readonly string[]
  /** For YAML: the same duplicates as the Go decoder words them, `line 6: key "k" already set in map`. */
  readonly duplicateLines?: readonly string[]
}

/** Malformed or beyond a limit. `kind` decides the HTTP status: `too-large` is 413, the rest 400. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly kind: 'syntax' | 'too-large' | 'too-deep' | 'encoding' | 'number'
  constructor(kind: JsonError['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** Narrows to a JSON object: neither null nor a list. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Narrows to a list; `Array.isArray` alone does not narrow readonly arrays. */
export function isJsonArray(value: Json | undefined): value is JsonArray {
  return Array.isArray(value)
}

/** Sets an own property even when the key is `__proto__`. The only way generic code may write a dynamic key. */
export function setKey(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') {
    target[key] = value
    return
  }
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

/** The own value of a key, never one of `Object.prototype`. */
export function getKey(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** A deep copy that shares nothing with its source. Recursion is bounded by the depth of what the parser let in. */
export function cloneJson(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (isJsonArray(value)) return value.map(cloneJson)
  return cloneObject(value)
}

/** {@link cloneJson} for an object. */
export function cloneObject(value: JsonObject): MutableJsonObject {
  const copy: MutableJsonObject = {}
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (member !== undefined) setKey(copy, key, cloneJson(member))
  }
  return copy
}

/** Structural equality of JSON values. `1` and `1n` are equal, key order does not matter, `undefined` members are absent. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return equalNumbers(a, b)
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!equalJson(a[i], b[i])) return false
    return true
  }
  return !Array.isArray(b) && equalMembers(a, b)
}

function equalNumbers(a: unknown, b: unknown): boolean {
  if (typeof a === 'bigint' && typeof b === 'number') return Number.isInteger(b) && a === BigInt(b)
  if (typeof a === 'number' && typeof b === 'bigint') return Number.isInteger(a) && BigInt(a) === b
  return false
}

function equalMembers(a: object, b: object): boolean {
  const left = new Map(Object.entries(a))
  let count = 0
  for (const [key, value] of Object.entries(b)) {
    if (value === undefined) continue
    if (!left.has(key) || !equalJson(left.get(key), value)) return false
    count++
  }
  for (const value of left.values()) if (value === undefined) count++
  return count === left.size
}
