import { type Json, JsonError } from './json.ts'
import { integerOf } from './scanner.ts'

/** Plain scalars as the go-yaml v2 lineage resolves them, which is what kubectl and kube-apiserver read. */

const words = new Map<string, Json>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
])
const decimal = /^[-+]?(?:0|[1-9][0-9]*)$/
const octal = /^([-+]?)0o?([0-7]+)$/
const prefixed = /^([-+]?)(0x[0-9a-fA-F]+|0b[01]+)$/
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/
const special = /^(?:([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

/** Resolves an untagged plain scalar. Throws {@link JsonError} for infinities, which JSON cannot hold. */
export function resolvePlain(source: string, rounded: () => void): Json {
  const word = words.get(source)
  if (word !== undefined) return word
  const first = source.charCodeAt(0)
  // Only digits, signs and a dot can start a number.
  if ((first < 0x30 || first > 0x39) && first !== 0x2b && first !== 0x2d && first !== 0x2e) return source
  return resolveNumber(source, rounded) ?? source
}

function resolveNumber(source: string, rounded: () => void): Json | undefined {
  const digits = source.includes('_') ? source.replaceAll('_', '') : source
  if (decimal.test(digits)) return integerOf(digits.replace('+', ''), rounded)
  const [, sign, literal] = prefixed.exec(digits) ?? octalLiteral(digits) ?? []
  if (literal !== undefined) return integerOf(signed(sign, BigInt(literal)), rounded)
  if (float.test(digits)) {
    const value = Number(digits)
    if (Number.isFinite(value)) return value
    throw new JsonError('number', `json: unsupported value: ${value < 0 ? '-' : '+'}Inf`)
  }
  const infinite = special.exec(digits)
  if (infinite === null) return undefined
  const name = infinite[1] === undefined ? 'NaN' : `${infinite[1] === '-' ? '-' : '+'}Inf`
  throw new JsonError('number', `json: unsupported value: ${name}`)
}

function octalLiteral(digits: string): readonly string[] | undefined {
  const match = octal.exec(digits)
  return match === null ? undefined : ['', match[1] ?? '', `0o${match[2]}`]
}

const signed = (sign: string | undefined, value: bigint): string => (sign === '-' ? `-${value}` : `${value}`)

/** Resolves a scalar with an explicit core tag. Throws {@link JsonError} for any other tag. */
export function resolveTagged(tag: string, source: string, rounded: () => void): Json {
  const name = tag.replace(/^!!|^!<tag:yaml\.org,2002:(.*)>$/, '$1')
  if (name === 'str' || tag === '!') return source
  const value = resolvePlain(source, rounded)
  const matches: Readonly<Record<string, boolean>> = {
    null: value === null,
    bool: typeof value === 'boolean',
    int: typeof value === 'bigint' || Number.isInteger(value),
    float: typeof value === 'number',
  }
  if (matches[name] === true) return value
  throw new JsonError(
    'syntax',
    `yaml: cannot decode !!${name} from ${JSON.stringify(source)}; write the value without a tag`,
  )
}

/** A mapping key as the JSON conversion of Kubernetes spells it: `1: x` is key `"1"`, `n: x` is key `"false"`. */
export function keyText(key: Json): string {
  if (typeof key === 'string') return key
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return String(key)
  throw new JsonError('syntax', 'yaml: a map key must be a string, number or boolean')
}
