import { isJsonArray, type Json } from './json.ts'

/** What Go escapes beyond the JSON grammar: safe inside HTML and inside old JavaScript engines. */
const goEscaped = /[<>&\u2028\u2029]/g
const goEscapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

/**
 * Compact JSON as Go writes it: `bigint` as digits, `<`, `>`, `&`, U+2028 and U+2029 escaped. Skips
 * members that are `undefined`. Keys keep their order.
 */
export function stringifyJson(value: unknown, options: { readonly indent?: number } = {}): string {
  const text = hasBigint(value) ? write(value, options.indent ?? 0, '\n') : JSON.stringify(value, null, options.indent)
  // These characters occur inside strings only, so the whole text may be replaced at once.
  return (text ?? 'null').replace(goEscaped, (character) => goEscapes[character] ?? character)
}

function hasBigint(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint'
  if (Array.isArray(value)) return value.some(hasBigint)
  for (const member of Object.values(value)) if (hasBigint(member)) return true
  return false
}

/** The native writer refuses `bigint`; this one is used only where one was found. */
function write(value: unknown, indent: number, lineBreak: string): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const inner = indent === 0 ? '' : lineBreak + ' '.repeat(indent)
  const outer = indent === 0 ? '' : lineBreak
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    return `[${inner}${value.map((item) => write(item, indent, inner || '\n')).join(`,${inner}`)}${outer}]`
  }
  const colon = indent === 0 ? ':' : ': '
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}${colon}${write(member, indent, inner || '\n')}`)
  return members.length === 0 ? '{}' : `{${inner}${members.join(`,${inner}`)}${outer}}`
}

/** JSON with sorted keys: equal values have equal text, whatever order their keys came in. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return stringifyJson(value)
  if (isJsonArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${stringifyJson(key)}:${canonicalJson(value[key] ?? null)}`)
  return `{${members.join(',')}}`
}
