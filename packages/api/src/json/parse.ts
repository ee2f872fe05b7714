import { defaultJsonLimits, isJsonArray, type Json, JsonError, type JsonLimits, type ParsedJson } from './json.ts'
import { scanJson } from './scanner.ts'

/** Rejects broken UTF-8 instead of replacing it, and leaves a byte-order mark in place for the parser to refuse. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses UTF-8 bytes or text. Throws {@link JsonError}. A key `__proto__` is an ordinary own property.
 *
 * Most bodies take the fast path: one scan counts what the native parser would hide, the native parser
 * builds the value, and one walk proves that nothing was lost. Everything else goes through the scanner.
 */
export function parseJson(source: Uint8Array | string, limits?: Partial<JsonLimits>): ParsedJson {
  const bounds = limits === undefined ? defaultJsonLimits : { ...defaultJsonLimits, ...limits }
  const text = decodeText(source, bounds)
  const survey = surveyJson(text, bounds.maxDepth)
  if (survey !== undefined) {
    const value = parseNatively(text)
    if (value !== undefined && new Proof(bounds).holds(value, survey.colons)) return { value, duplicates: [] }
  }
  return scanJson(text, bounds)
}

/** Decodes and bounds a body. Throws {@link JsonError} for too many bytes and for broken UTF-8 or lone surrogates. */
export function decodeText(source: Uint8Array | string, limits: JsonLimits): string {
  if (source.length > limits.maxBytes) {
    throw new JsonError('too-large', `Request entity too large: limit is ${limits.maxBytes}`)
  }
  if (typeof source === 'string') {
    if (!source.isWellFormed()) throw new JsonError('encoding', 'the text holds a lone surrogate, which is not Unicode')
    return source
  }
  try {
    return decoder.decode(source)
  } catch (cause) {
    throw new JsonError('encoding', 'the body is not valid UTF-8; send it in that encoding', cause)
  }
}

function parseNatively(text: string): Json | undefined {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The scanner finds the same fault again and names it as Kubernetes does.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const quote = 0x22
const backslash = 0x5c

/**
 * Counts the colons outside strings. Undefined when the text needs the scanner: deeper than allowed
 * (the native parser would still build it), or with an escape that may be half of a surrogate pair.
 */
function surveyJson(text: string, maxDepth: number): { readonly colons: number } | undefined {
  let colons = 0
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) {
      i = endOfString(text, i + 1)
      if (i < 0) return undefined
    } else if (code === 0x3a) {
      colons++
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) return undefined
    } else if (code === 0x7d || code === 0x5d) {
      depth--
    }
  }
  return { colons }
}

/** Index of the closing quote; -1 when there is none or when the string escapes a surrogate. */
function endOfString(text: string, start: number): number {
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) return i
    if (code !== backslash) continue
    i++
    if (text.charCodeAt(i) === 0x75 && (text.charCodeAt(i + 1) | 0x20) === 0x64) return -1
  }
  return -1
}

/** Walks a natively parsed value: every key counted, every number exact, every limit kept. */
class Proof {
  readonly #limits: JsonLimits
  #nodes = 0
  #keys = 0

  constructor(limits: JsonLimits) {
    this.#limits = limits
  }

  holds(value: Json, colons: number): boolean {
    return this.#isExact(value) && this.#keys === colons
  }

  #isExact(value: Json): boolean {
    if (++this.#nodes > this.#limits.maxNodes) return false
    if (typeof value === 'number') return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
    if (typeof value !== 'object' || value === null) return true
    if (isJsonArray(value)) {
      for (let i = 0; i < value.length; i++) if (!this.#isExact(value[i] ?? null)) return false
      return true
    }
    for (const key in value) {
      this.#keys++
      // A UTF-16 unit is at most three bytes; what might be too long is measured by the scanner.
      if (key.length * 3 > this.#limits.maxKeyBytes || !this.#isExact(value[key] ?? null)) return false
    }
    return true
  }
}
