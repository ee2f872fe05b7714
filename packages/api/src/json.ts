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

export interface JsonLimits {
  readonly maxBytes: number
  readonly maxDepth: number
  readonly maxNodes: number
  readonly maxKeyBytes: number
}

export interface ParsedJson {
  readonly value: Json
  /** Paths such as `spec.replicas` of keys that stood twice in one object; the last one won. Bounded. */
  readonly duplicates: readonly string[]
}

/** Malformed or beyond a limit. `kind` decides the HTTP status: `too-large` is 413, the rest 400. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly kind: 'syntax' | 'too-large' | 'too-deep' | 'encoding' | 'number'
  constructor(kind: JsonError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** Parses UTF-8 bytes or text. Throws {@link JsonError}. A key `__proto__` is an ordinary own property. */
export function parseJson(_source: Uint8Array | string, _limits?: Partial<JsonLimits>): ParsedJson {
  throw new Error('contract')
}

/**
 * Compact JSON as Go writes it: `bigint` as digits, `<`, `>`, `&`, U+2028 and U+2029 escaped. Skips
 * members that are `undefined`. Keys keep their order.
 */
export function stringifyJson(_value: unknown, _options?: { readonly indent?: number }): string {
  throw new Error('contract')
}

/** Parses YAML 1.1 as kubectl reads it (no timestamps), into the same value space and limits as {@link parseJson}. */
export function parseYaml(_source: Uint8Array | string, _limits?: Partial<JsonLimits>): ParsedJson {
  throw new Error('contract')
}

/** All documents of a YAML stream (files given to the CLI); empty documents are skipped. */
export function parseYamlDocuments(_source: string): readonly Json[] {
  throw new Error('contract')
}

/** YAML for people: keys in their order, no aliases, multi-line strings as blocks. */
export function formatYaml(_value: unknown): string {
  throw new Error('contract')
}

/** Structural equality of JSON values. `1` and `1n` are equal, key order does not matter, `undefined` members are absent. */
export function equalJson(_a: unknown, _b: unknown): boolean {
  throw new Error('contract')
}

/** Sets an own property even when the key is `__proto__`. The only way generic code may write a dynamic key. */
export function setKey(_target: Record<string, unknown>, _key: string, _value: unknown): void {
  throw new Error('contract')
}
