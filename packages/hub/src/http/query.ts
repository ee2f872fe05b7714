import { badRequest } from './errors.ts'

/** Query parameters in the order of the request; a repeated name keeps all its values. */
export type Query = ReadonlyMap<string, readonly string[]>

const empty: Query = new Map()

/** More parameters than any client sends; bounds the work before authentication. */
const maxParameters = 256

/** Parses the text after `?`. Throws 400 for a broken escape: a dropped part could turn a filtered delete into a full one. */
export function parseQuery(text: string): Query {
  if (text === '') return empty
  const parts = text.split('&')
  if (parts.length > maxParameters) throw badRequest(`the query has more than ${maxParameters} parameters`)
  const query = new Map<string, string[]>()
  for (const part of parts) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    const value = equals < 0 ? '' : decode(part.slice(equals + 1))
    const values = query.get(name)
    if (values === undefined) query.set(name, [value])
    else values.push(value)
  }
  return query
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (error) {
    throw badRequest(`the query holds a broken escape: ${JSON.stringify(text.slice(0, 64))}`, error)
  }
}

/** The first value, or undefined when the parameter is absent. */
export function parameter(query: Query, name: string): string | undefined {
  return query.get(name)?.[0]
}

/** The first value, or empty. */
export function textParameter(query: Query, name: string): string {
  return query.get(name)?.[0] ?? ''
}

/**
 * Absent, `0` and `false` are false, `1`, `true` and the empty value are true. Throws 400 for anything
 * else: a guess could turn a list into an endless watch.
 */
export function booleanParameter(query: Query, name: string): boolean {
  const value = parameter(query, name)?.toLowerCase()
  if (value === undefined || value === '0' || value === 'false') return false
  if (value === '1' || value === 'true' || value === '') return true
  throw badRequest(`${name} must be true or false, not ${JSON.stringify(value.slice(0, 64))}`)
}

/** A decimal integer, or undefined when absent or empty. Throws 400. */
export function integerParameter(query: Query, name: string): number | undefined {
  const value = parameter(query, name)
  if (value === undefined || value === '') return undefined
  const fault = /^[+-]?\d{1,64}$/.test(value) ? (isInt64(value) ? '' : 'value out of range') : 'invalid syntax'
  if (fault === '') return Number(value)
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value.slice(0, 64))}: ${fault}`)
}

function isInt64(digits: string): boolean {
  const number = BigInt(digits.replace('+', ''))
  return BigInt.asIntN(64, number) === number
}
