/**
 * The part of DER (X.690) that certificates need. Values are bytes; composite ones take their parts in
 * order. Nothing here reads DER: certificates are read by `node:crypto`.
 */

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** Class bits of tags that a structure numbers itself. */
const contextClass = 0x80
const constructed = 0x20

function encode(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content])
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Buffer.from([length])
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Buffer.from([0x80 | bytes.length, ...bytes])
}

/** SEQUENCE of the given values. */
export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(tags.sequence, Buffer.concat(parts))
}

/** SET OF the given values, ordered by their encoding as DER demands. */
export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(tags.set, Buffer.concat([...parts].sort((a, b) => Buffer.compare(a, b))))
}

/** BOOLEAN. */
export function boolean(value: boolean): Uint8Array {
  return encode(tags.boolean, Buffer.from([value ? 0xff : 0x00]))
}

/** A non-negative INTEGER from its big-endian bytes, in the shortest form. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  const significant = first < 0 ? Buffer.from([0]) : bytes.subarray(first)
  const looksNegative = ((significant[0] ?? 0) & 0x80) !== 0
  return encode(tags.integer, looksNegative ? Buffer.concat([Buffer.from([0]), significant]) : significant)
}

/** BIT STRING; `unusedBits` are at the end of the last byte. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return encode(tags.bitString, Buffer.concat([Buffer.from([unusedBits]), bytes]))
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): Uint8Array {
  return encode(tags.octetString, bytes)
}

/** UTF8String. */
export function utf8String(text: string): Uint8Array {
  return encode(tags.utf8String, Buffer.from(text))
}

/** OBJECT IDENTIFIER from its dotted form, e.g. `2.5.4.3`. */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap(base128)
  return encode(tags.objectIdentifier, Buffer.from(bytes))
}

function base128(value: number): number[] {
  const bytes = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80)
  return bytes
}

/** A time as certificates want it, from milliseconds since the epoch: UTCTime until 2049, GeneralizedTime from then on. */
export function time(epochMs: number): Uint8Array {
  const digits = `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  const isShort = Number(digits.slice(0, 4)) < 2050
  return isShort
    ? encode(tags.utcTime, Buffer.from(digits.slice(2)))
    : encode(tags.generalizedTime, Buffer.from(digits))
}

/** `[number] EXPLICIT`: wraps a whole value. */
export function explicit(number: number, content: Uint8Array): Uint8Array {
  return encode(contextClass | constructed | number, content)
}

/** `[number] IMPLICIT` of a primitive type: replaces its tag. */
export function implicit(number: number, content: Uint8Array): Uint8Array {
  return encode(contextClass | number, content)
}
