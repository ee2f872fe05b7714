import { getKey, isJsonArray, isJsonObject, type Json } from '@orrery/api'

/**
 * The JSONPath of printer columns: `.spec.x`, `['a.b']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`. No
 * recursion, no scripts, so a path costs at most one look at each member it names.
 */

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | {
      readonly type: 'filter'
      readonly path: readonly Step[]
      readonly negated: boolean
      readonly value: Json | undefined
    }

export type JsonPath = readonly Step[]

/** Longer than any path people write. */
const maxPathLength = 1024

const stepPattern =
  /\.([A-Za-z0-9_$-][A-Za-z0-9_$/-]*(?:\\.[A-Za-z0-9_$/-]*)*|\*)|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(-?\d{1,9})\]|\[(\*)\]|\[\?\(@((?:\.[A-Za-z0-9_$-]+)+)\s*(?:(==|!=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|true|false|null|-?\d+(?:\.\d+)?))?\s*\)\]/y

/** Parses a path; undefined when it uses more than is supported. Braces around it are allowed. */
export function parseJsonPath(source: string): JsonPath | undefined {
  const text = source.startsWith('{') && source.endsWith('}') ? source.slice(1, -1) : source
  if (text.length > maxPathLength) return undefined
  if (text === '.' || text === '') return []
  const steps: Step[] = []
  stepPattern.lastIndex = 0
  while (stepPattern.lastIndex < text.length) {
    const match = stepPattern.exec(text)
    if (match === null) return undefined
    steps.push(stepOf(match))
  }
  return steps
}

function stepOf(match: RegExpExecArray): Step {
  const [, dotted, single, double, index, star, filterPath, operator, literal] = match
  if (star !== undefined || dotted === '*') return { type: 'all' }
  if (index !== undefined) return { type: 'index', index: Number(index) }
  if (filterPath !== undefined) {
    const path = filterPath
      .slice(1)
      .split('.')
      .map((name): Step => ({ type: 'field', name }))
    return {
      type: 'filter',
      path,
      negated: operator === '!=',
      value: literal === undefined ? undefined : literalOf(literal),
    }
  }
  return { type: 'field', name: unescape(dotted ?? single ?? double ?? '') }
}

const unescape = (text: string): string => text.replace(/\\(.)/g, '$1')

function literalOf(literal: string): Json {
  if (literal.startsWith('"') || literal.startsWith("'")) return unescape(literal.slice(1, -1))
  if (literal === 'true' || literal === 'false') return literal === 'true'
  return literal === 'null' ? null : Number(literal)
}

/** The first value at a path, or undefined. */
export function firstAt(value: Json, path: JsonPath): Json | undefined {
  const [step, ...rest] = path
  if (step === undefined) return value
  for (const member of membersAt(value, step)) {
    const found = firstAt(member, rest)
    if (found !== undefined) return found
  }
  return undefined
}

function membersAt(value: Json, step: Step): readonly Json[] {
  if (step.type === 'field') {
    const member = isJsonObject(value) ? getKey(value, step.name) : undefined
    return member === undefined ? [] : [member]
  }
  if (step.type === 'index') {
    const item = isJsonArray(value) ? value.at(step.index) : undefined
    return item === undefined ? [] : [item]
  }
  const items = isJsonArray(value) ? value : isJsonObject(value) ? Object.values(value) : []
  return step.type === 'all' ? items : items.filter((item) => isSelected(item, step))
}

function isSelected(item: Json, { path, negated, value }: Extract<Step, { readonly type: 'filter' }>): boolean {
  const found = firstAt(item, path)
  if (value === undefined) return found !== undefined
  return found !== undefined && (found === value) !== negated
}
