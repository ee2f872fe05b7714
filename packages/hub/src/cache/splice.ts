/**
 * Stored JSON lacks `metadata.resourceVersion`, because the store alone knows it. It is spliced into the
 * bytes, so that an object is never parsed and encoded again to be served.
 */

/** Where `"resourceVersion":"…"` goes, and whether other fields of metadata follow it. */
export interface InsertionPoint {
  readonly at: number
  readonly isFollowed: boolean
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const SPACE = 0x20

const METADATA = Buffer.from('"metadata"')

/** Just behind the brace that opens `metadata`; undefined when the bytes are not an object with such a member. */
export function findInsertionPoint(json: Uint8Array): InsertionPoint | undefined {
  let depth = 0
  let at = 0
  while (at < json.byteLength) {
    const byte = json[at]
    if (byte === QUOTE) {
      const end = endOfString(json, at)
      if (depth === 1 && isMetadata(json, at, end)) {
        const value = skipColon(json, end)
        if (value !== undefined) return insideOf(json, value)
      }
      at = end
      continue
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    at++
  }
  return undefined
}

/** Just behind the closing quote. */
function endOfString(json: Uint8Array, start: number): number {
  let end = json.indexOf(QUOTE, start + 1)
  while (end !== -1) {
    let slashes = 0
    while (json[end - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end + 1
    end = json.indexOf(QUOTE, end + 1)
  }
  return json.byteLength
}

function isMetadata(json: Uint8Array, start: number, end: number): boolean {
  if (end - start !== METADATA.byteLength) return false
  for (let i = 0; i < METADATA.byteLength; i++) if (json[start + i] !== METADATA[i]) return false
  return true
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from
  while ((json[at] ?? OPEN_BRACE) <= SPACE) at++
  return at
}

/** The first byte of the member's value, or undefined when the string was itself a value. */
function skipColon(json: Uint8Array, from: number): number | undefined {
  const at = skipSpace(json, from)
  return json[at] === COLON ? skipSpace(json, at + 1) : undefined
}

function insideOf(json: Uint8Array, brace: number): InsertionPoint | undefined {
  if (json[brace] !== OPEN_BRACE) return undefined
  return { at: brace + 1, isFollowed: json[skipSpace(json, brace + 1)] !== CLOSE_BRACE }
}

/** The stored JSON as served at `revision`. Without an insertion point the bytes are served as they are. */
export function spliceRevision(stored: Uint8Array, point: InsertionPoint | undefined, revision: number): Uint8Array {
  if (point === undefined) return stored
  const text = `"resourceVersion":"${revision}"${point.isFollowed ? ',' : ''}`
  // Not from the pool: one long-lived slice would keep its whole slab.
  const served = Buffer.allocUnsafeSlow(stored.byteLength + text.length)
  served.set(stored.subarray(0, point.at))
  served.write(text, point.at, 'latin1')
  served.set(stored.subarray(point.at), point.at + text.length)
  return served
}
